// The scalar kernels by name: the table is made of them, and faster ones may hand their tails to them.
#pragma once
#include "kernels.h"

namespace hb::scalar {

KernelOf<decltype(Kernels::quantize_4bit)> quantize_4bit;
KernelOf<decltype(Kernels::dequantize_4bit)> dequantize_4bit;
KernelOf<decltype(Kernels::quantize_blockwise)> quantize_blockwise;
KernelOf<decltype(Kernels::dequantize_blockwise)> dequantize_blockwise;
KernelOf<decltype(Kernels::measure_segment)> measure_segment;
KernelOf<decltype(Kernels::gemm_4bit)> gemm_4bit;
KernelOf<decltype(Kernels::gemm)> gemm;
KernelOf<decltype(Kernels::gemm_transposed)> gemm_transposed;
KernelOf<decltype(Kernels::int8_row_stats)> int8_row_stats;
KernelOf<decltype(Kernels::int8_row_quant)> int8_row_quant;
KernelOf<decltype(Kernels::int8_row_dequant)> int8_row_dequant;
KernelOf<decltype(Kernels::int8_matmul)> int8_matmul;
KernelOf<decltype(Kernels::int8_matmul_packed)> int8_matmul_packed;
KernelOf<decltype(Kernels::int8_mm_dequant)> int8_mm_dequant;
KernelOf<decltype(Kernels::optimizer_32bit)> optimizer_32bit;
KernelOf<decltype(Kernels::optimizer_8bit)> optimizer_8bit;

}  // namespace hb::scalar
