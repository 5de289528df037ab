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
#else
#define HB_UNROLL _Pragma("unroll")
#endif

namespace hb {

#if defined(HB_EMULATED)
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream, Arguments... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  };
  emulation::Launch wanted = {grid, block, 0, nullptr, nullptr, new Call{kernel, std::tuple<Parameters...>(arguments...)}};
  wanted.run = [](void *call) { std::apply(static_cast<Call *>(call)->kernel, static_cast<Call *>(call)->arguments); };
  wanted.release = [](void *call) { delete static_cast<Call *>(call); };
  expect(emulation::launch(wanted, stream), "a kernel launch");
}
#else
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, cudaStream_t stream, Arguments... arguments) {
  kernel<<<grid, block, 0, stream>>>(static_cast<Parameters>(arguments)...);
  expect(cudaGetLastError(), "a kernel launch");
}
#endif

}  // namespace hb
