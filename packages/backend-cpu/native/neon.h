// The NEON kernels by name; what is not here falls to the scalar ones. No intrinsics: the tables are compiled for every Arm machine.
#pragma once
#include "kernels.h"

namespace hb::neon {

KernelOf<decltype(Kernels::quantize_4bit)> quantize_4bit;
KernelOf<decltype(Kernels::dequantize_4bit)> dequantize_4bit;
KernelOf<decltype(Kernels::quantize_blockwise)> quantize_blockwise;
KernelOf<decltype(Kernels::dequantize_blockwise)> dequantize_blockwise;
KernelOf<decltype(Kernels::gemm_4bit)> gemm_4bit;
KernelOf<decltype(Kernels::gemm)> gemm;
KernelOf<decltype(Kernels::int8_row_stats)> int8_row_stats;
KernelOf<decltype(Kernels::int8_row_quant)> int8_row_quant;
KernelOf<decltype(Kernels::int8_row_dequant)> int8_row_dequant;
KernelOf<decltype(Kernels::int8_matmul)> int8_matmul;
KernelOf<decltype(Kernels::int8_mm_dequant)> int8_mm_dequant;

}  // namespace hb::neon

// What Armv8.2's dot product instructions do better.
namespace hb::dotprod {

KernelOf<decltype(Kernels::int8_matmul)> int8_matmul;

}  // namespace hb::dotprod
