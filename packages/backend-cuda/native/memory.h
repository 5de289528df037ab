// Memory of a device in the order of one stream: what was freed may be handed out at once, because whatever uses it next comes later in the
// stream. Two ways: CUDA's memory pools where the device has them, else kept blocks of our own. Not thread-safe: a queue calls it from
// the thread that enqueues.
#pragma once
#include <cstdint>
#include <memory>

#include "device.h"

namespace hb {

// Sizes are rounded up to it, and what a tensor does not fill is zero.
constexpr uint64_t kAlignment = 64;

constexpr uint64_t padded(uint64_t bytes) { return bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct MemoryCounters {
  uint64_t used, pooled;
};

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  // At least `bytes`, a multiple of kAlignment. Throws CudaError.
  virtual void *take(uint64_t bytes) = 0;
  virtual void give_back(void *block) = 0;
  virtual MemoryCounters counters() = 0;
};

// The best way that `device` has. Everything happens on `stream`; the current device is `device`.
std::unique_ptr<DeviceMemory> make_device_memory(int device, cudaStream_t stream);

}  // namespace hb
