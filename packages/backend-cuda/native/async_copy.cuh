// Copies from device memory to shared memory that a thread does not wait for (cp.async, compute capability 8.0); older GPUs copy at once.
//
// What a thread starts belongs to a group once it says so; it waits until all but its last groups have arrived. Other threads see the bytes after
// a barrier that follows the wait.
#pragma once
#include <cstdint>

#include "mma.cuh"
#if defined(HB_EMULATED)
#include "emulation/async_copy.h"
#endif

namespace hb {

// 16 bytes, both ends aligned to 16; zeros when the source is not there, and then its address is not looked at.
__device__ __forceinline__ void copy_async(void *shared, const void *global, bool is_there) {
#if defined(HB_EMULATED)
  emulation::copy_async(shared, is_there ? global : nullptr, 16);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(is_there ? 16 : 0) : "memory");
#else
  *static_cast<uint4 *>(shared) = is_there ? *static_cast<const uint4 *>(global) : uint4{0, 0, 0, 0};
#endif
}

__device__ __forceinline__ void end_copy_group() {
#if defined(HB_EMULATED)
  emulation::end_copy_group();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits for this thread's groups, all but the last `pending`.
template <int pending>
__device__ __forceinline__ void await_copies() {
#if defined(HB_EMULATED)
  emulation::await_copies(pending);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

}  // namespace hb
