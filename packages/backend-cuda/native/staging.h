// Copies between host memory and a device, in the order of one stream, that never make the calling thread wait.
//
// CUDA copies asynchronously from pinned memory alone; JavaScript's is not pinned, and to pin it for one copy costs more than the copy. So the
// bytes go through one pinned buffer, piece by piece: a host function of the stream fills or empties it between the transfers. What a
// host function would cost a small write is saved: CUDA takes up to 64 KiB of pageable memory into its own buffers at once.
#pragma once
#include <cstdint>

#include "device.h"

namespace hb {

class Staging {
 public:
  // Throws CudaError.
  explicit Staging(cudaStream_t stream);
  // The stream is idle.
  ~Staging();
  Staging(const Staging &) = delete;
  Staging &operator=(const Staging &) = delete;

  // The host bytes are taken before it returns.
  void write(void *target, const void *host, uint64_t bytes);
  // The host bytes are looked at when the stream gets there.
  void write_later(void *target, const void *host, uint64_t bytes);
  // The host bytes are there when the stream has passed.
  void read(const void *source, void *host, uint64_t bytes);

  // The same for paged memory, which lies on the host too: no device takes part.
  void write_on_host(void *target, const void *host, uint64_t bytes, bool adopt);
  void read_on_host(const void *source, void *host, uint64_t bytes);
  void zero_on_host(void *target, uint64_t bytes);

 private:
  void *piece_ = nullptr;
  const cudaStream_t stream_;
};

}  // namespace hb
