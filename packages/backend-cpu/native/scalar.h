// The scalar kernels by name: the table is made of them, and faster ones may hand their tails to them.
#pragma once
#include <type_traits>

#include "kernels.h"

namespace hb::scalar {

// Each is declared with the signature of its entry in the table.
template <class Entry>
using Kernel = std::remove_pointer_t<Entry>;

Kernel<decltype(Kernels::quantize_4bit)> quantize_4bit;
Kernel<decltype(Kernels::dequantize_4bit)> dequantize_4bit;
Kernel<decltype(Kernels::quantize_blockwise)> quantize_blockwise;
Kernel<decltype(Kernels::dequantize_blockwise)> dequantize_blockwise;
Kernel<decltype(Kernels::gemm_4bit)> gemm_4bit;
Kernel<decltype(Kernels::gemm)> gemm;
Kernel<decltype(Kernels::gemm_transposed)> gemm_transposed;
Kernel<decltype(Kernels::int8_row_stats)> int8_row_stats;
Kernel<decltype(Kernels::int8_row_quant)> int8_row_quant;
Kernel<decltype(Kernels::int8_row_dequant)> int8_row_dequant;
Kernel<decltype(Kernels::int8_matmul)> int8_matmul;
Kernel<decltype(Kernels::int8_mm_dequant)> int8_mm_dequant;
Kernel<decltype(Kernels::optimizer_32bit)> optimizer_32bit;
Kernel<decltype(Kernels::optimizer_8bit)> optimizer_8bit;

}  // namespace hb::scalar
