// The NEON table. What is missing comes from the scalar kernels.
#include "neon.h"

namespace hb {

constexpr Kernels neon_kernels = [] {
  Kernels table{};
  table.isa = "neon";
  table.quantize_4bit = neon::quantize_4bit;
  table.dequantize_4bit = neon::dequantize_4bit;
  table.quantize_blockwise = neon::quantize_blockwise;
  table.dequantize_blockwise = neon::dequantize_blockwise;
  table.gemm_4bit = neon::gemm_4bit;
  table.gemm = neon::gemm;
  table.int8_row_stats = neon::int8_row_stats;
  table.int8_row_quant = neon::int8_row_quant;
  table.int8_row_dequant = neon::int8_row_dequant;
  table.int8_matmul = neon::int8_matmul;
  table.int8_mm_dequant = neon::int8_mm_dequant;
  return table;
}();

}  // namespace hb
