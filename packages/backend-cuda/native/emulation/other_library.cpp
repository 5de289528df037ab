// What another CUDA library in the process would do, for tests: memory and streams of its own on an emulated device, and slow work on them. Calls
// beside halfbyte.h that only the emulated library has; addresses and handles go in and out as they do between real libraries.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "halfbyte.h"
#include "stream.h"

using namespace hb::emulation;

namespace {

// With a device current, and the one before afterwards.
template <class Result, class Body>
Result on(int device, const Body &body) {
  const int before = current_device();
  cudaSetDevice(device);
  const Result result = body();
  cudaSetDevice(before);
  return result;
}

}  // namespace

extern "C" {

// Not one byte more than asked for.
HB_API void *hb_other_malloc(int32_t device, uint64_t bytes) {
  return on<void *>(device, [=] {
    void *memory = nullptr;
    cudaMalloc(&memory, bytes);
    return memory;
  });
}

HB_API void hb_other_free(void *memory) { cudaFree(memory); }

HB_API void *hb_other_pinned(uint64_t bytes) {
  void *memory = nullptr;
  cudaHostAlloc(&memory, bytes, cudaHostAllocPortable);
  return memory;
}

HB_API int32_t hb_other_physical(int32_t device) { return physical_number(device); }

HB_API void *hb_other_stream(int32_t device) {
  return on<void *>(device, [] {
    cudaStream_t stream = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    return static_cast<void *>(stream);
  });
}

HB_API void hb_other_stream_destroy(void *stream) { cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }

// Takes its time before it writes.
HB_API int32_t hb_other_write(void *stream, void *target, const void *host, uint64_t bytes, int32_t milliseconds) {
  const char *first = static_cast<const char *>(host);
  return enqueue(static_cast<cudaStream_t>(stream), [=, taken = std::vector<char>(first, first + bytes)] {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    std::memcpy(target, taken.data(), taken.size());
  });
}

// Waits for the stream.
HB_API int32_t hb_other_read(void *stream, const void *source, void *host, uint64_t bytes) {
  const auto handle = static_cast<cudaStream_t>(stream);
  enqueue(handle, [=] { std::memcpy(host, source, bytes); });
  return cudaStreamSynchronize(handle);
}
}
