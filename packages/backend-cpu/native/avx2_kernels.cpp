// The AVX2 table. What is missing comes from the scalar kernels.
#include "avx2.h"

namespace hb {

constexpr Kernels avx2_kernels = [] {
  Kernels table{};
  table.isa = "avx2";
  table.quantize_4bit = avx2::quantize_4bit;
  table.dequantize_4bit = avx2::dequantize_4bit;
  table.quantize_blockwise = avx2::quantize_blockwise;
  table.dequantize_blockwise = avx2::dequantize_blockwise;
  table.measure_segment = avx2::measure_segment;
  table.gemm_4bit = avx2::gemm_4bit;
  table.prepare_activations = avx2::prepare_activations;
  table.gemm_4bit_packed = avx2::gemm_4bit_packed;
  table.gemm = avx2::gemm;
  table.gemm_transposed = avx2::gemm_transposed;
  table.int8_row_stats = avx2::int8_row_stats;
  table.int8_row_quant = avx2::int8_row_quant;
  table.int8_row_dequant = avx2::int8_row_dequant;
  table.int8_matmul = avx2::int8_matmul;
  table.int8_mm_dequant = avx2::int8_mm_dequant;
  table.optimizer_32bit = avx2::optimizer_32bit;
  table.optimizer_8bit = avx2::optimizer_8bit;
  return table;
}();

}  // namespace hb
