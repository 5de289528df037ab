// The table every machine can run, complete: the oracle of the others.
#include "scalar.h"

namespace hb {

constexpr Kernels scalar_kernels = [] {
  Kernels table{};
  table.isa = "scalar";
  table.quantize_4bit = scalar::quantize_4bit;
  table.dequantize_4bit = scalar::dequantize_4bit;
  table.quantize_blockwise = scalar::quantize_blockwise;
  table.dequantize_blockwise = scalar::dequantize_blockwise;
  table.measure_segment = scalar::measure_segment;
  table.gemm_4bit = scalar::gemm_4bit;
  table.gemm = scalar::gemm;
  table.gemm_transposed = scalar::gemm_transposed;
  table.int8_row_stats = scalar::int8_row_stats;
  table.int8_row_quant = scalar::int8_row_quant;
  table.int8_row_dequant = scalar::int8_row_dequant;
  table.int8_matmul = scalar::int8_matmul;
  table.int8_matmul_packed = scalar::int8_matmul_packed;
  table.int8_mm_dequant = scalar::int8_mm_dequant;
  table.optimizer_32bit = scalar::optimizer_32bit;
  table.optimizer_8bit = scalar::optimizer_8bit;
  return table;
}();

}  // namespace hb
