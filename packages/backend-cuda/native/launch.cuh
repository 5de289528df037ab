// Starting a kernel, and the language it is written in.
#pragma once
#include "device.h"
#if defined(HB_EMULATED)
#include <tuple>

#include "emulation/kernel_language.h"
#endif
#include "errors.h"

// Arrays whose indices are known when it is compiled stay in registers. Before a loop over one that has a condition in it.
#if defined(HB_EMULATED)
#define HB_UNROLL
#define HB_UNROLL_BY(count)
#else
#define HB_PRAGMA(text) _Pragma(#text)
#define HB_UNROLL _Pragma("unroll")
// So many turns at once, where all of them would be too much code, or too many registers.
#define HB_UNROLL_BY(count) HB_PRAGMA(unroll count)
#endif

namespace hb {

#if defined(HB_EMULATED)
// Shared memory whose size is said at the launch; aligned to 16 bytes.
#define HB_DYNAMIC_SHARED(name) char *name = hb::emulation::Block::current->dynamic_shared()

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, uint32_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  };
  emulation::Launch wanted = {grid, block, shared_bytes, nullptr, nullptr, new Call{kernel, std::tuple<Parameters...>(arguments...)}, sizeof(Call)};
  wanted.run = [](void *call) { std::apply(static_cast<Call *>(call)->kernel, static_cast<Call *>(call)->arguments); };
  wanted.release = [](void *call) { delete static_cast<Call *>(call); };
  expect(emulation::launch(wanted, stream), "a kernel launch");
}
#else
#define HB_DYNAMIC_SHARED(name) extern __shared__ uint4 hb_dynamic_shared[]; char *name = reinterpret_cast<char *>(hb_dynamic_shared)

// What a block gets without asking.
constexpr uint32_t kSharedBytesUnasked = 48 << 10;

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, uint32_t shared_bytes, cudaStream_t stream, Arguments... arguments) {
  if (shared_bytes > kSharedBytesUnasked)
    expect(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)), "cudaFuncSetAttribute");
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  expect(cudaGetLastError(), "a kernel launch");
}
#endif

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream, Arguments... arguments) {
  launch(kernel, grid, block, 0u, stream, arguments...);
}

}  // namespace hb
