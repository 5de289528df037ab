// The WebAssembly kernels by name; what is not here falls to the scalar kernels. One source for both builds, with and without relaxed SIMD: relaxed
// instructions stand only where every allowed result gives the same bytes, or in products, whose bound allows either.
#pragma once
#include "kernels.h"

namespace hb::wasm {

KernelOf<decltype(Kernels::quantize_4bit)> quantize_4bit;
KernelOf<decltype(Kernels::dequantize_4bit)> dequantize_4bit;
KernelOf<decltype(Kernels::quantize_blockwise)> quantize_blockwise;
KernelOf<decltype(Kernels::dequantize_blockwise)> dequantize_blockwise;
KernelOf<decltype(Kernels::gemm_4bit)> gemm_4bit;
KernelOf<decltype(Kernels::prepare_activations)> prepare_activations;
KernelOf<decltype(Kernels::gemm_4bit_packed)> gemm_4bit_packed;
KernelOf<decltype(Kernels::gemm)> gemm;
KernelOf<decltype(Kernels::int8_row_stats)> int8_row_stats;
KernelOf<decltype(Kernels::int8_row_quant)> int8_row_quant;
KernelOf<decltype(Kernels::int8_matmul)> int8_matmul;

}  // namespace hb::wasm
