// The AVX-512 table. What is missing comes from AVX2 or the scalar kernels.
#include "avx512.h"

namespace hb {

constexpr Kernels avx512_kernels = [] {
  Kernels table{};
  table.isa = "avx512";
  table.quantize_4bit = avx512::quantize_4bit;
  table.dequantize_4bit = avx512::dequantize_4bit;
  table.quantize_blockwise = avx512::quantize_blockwise;
  table.dequantize_blockwise = avx512::dequantize_blockwise;
  table.measure_segment = avx512::measure_segment;
  table.gemm_4bit = avx512::gemm_4bit;
  table.prepare_activations = avx512::prepare_activations;
  table.gemm_4bit_packed = avx512::gemm_4bit_packed;
  table.gemm = avx512::gemm;
  table.gemm_transposed = avx512::gemm_transposed;
  table.int8_row_stats = avx512::int8_row_stats;
  table.int8_row_quant = avx512::int8_row_quant;
  table.int8_row_dequant = avx512::int8_row_dequant;
  table.int8_matmul = avx512::int8_matmul;
  table.int8_matmul_packed = avx512::int8_matmul_packed;
  table.int8_mm_dequant = avx512::int8_mm_dequant;
  table.optimizer_32bit = avx512::optimizer_32bit;
  table.optimizer_8bit = avx512::optimizer_8bit;
  return table;
}();

}  // namespace hb
