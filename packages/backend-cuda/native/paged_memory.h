// Pinned host memory that stands for memory of the device: optimizer states too large for it. Kernels do not see it; what they need of it is brought to them
// piece by piece (paging.h).
#pragma once
#include "memory.h"
#include "standard.h"

namespace hb {

class PagedMemory {
 public:
  PagedMemory() = default;
  // The stream is idle.
  ~PagedMemory();
  PagedMemory(const PagedMemory &) = delete;
  PagedMemory &operator=(const PagedMemory &) = delete;

  // Throws CudaError. Portable: every device of the process may copy from it.
  void *take(uint64_t bytes);
  // Until `entry` is done the queue may look at the block.
  void retire(void *block, uint64_t entry);
  // Gives back what was retired up to `done`. CUDA waits for whole devices when it does.
  void collect(uint64_t done);

  // Whether an address lies in a block that was taken.
  bool holds(const void *address) const;
  MemoryCounters counters() const { return {used_, retired_bytes_}; }

 private:
  struct Retired {
    void *block;
    uint64_t bytes, entry;
  };

  Map<const char *, uint64_t> live_;
  Deque<Retired> retired_;
  uint64_t used_ = 0, retired_bytes_ = 0;
};

}  // namespace hb
