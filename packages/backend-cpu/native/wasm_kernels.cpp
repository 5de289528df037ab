// The WebAssembly table. What is missing comes from the scalar kernels.
#include "wasm.h"

namespace hb {

constexpr Kernels wasm_kernels = [] {
  Kernels table{};
#if defined(__wasm_relaxed_simd__)
  table.isa = "wasm-relaxed";
#else
  table.isa = "wasm";
#endif
  table.quantize_4bit = wasm::quantize_4bit;
  table.dequantize_4bit = wasm::dequantize_4bit;
  table.quantize_blockwise = wasm::quantize_blockwise;
  table.dequantize_blockwise = wasm::dequantize_blockwise;
  table.gemm_4bit = wasm::gemm_4bit;
  table.prepare_activations = wasm::prepare_activations;
  table.gemm_4bit_packed = wasm::gemm_4bit_packed;
  table.gemm = wasm::gemm;
  table.int8_row_stats = wasm::int8_row_stats;
  table.int8_row_quant = wasm::int8_row_quant;
  table.int8_matmul = wasm::int8_matmul;
  return table;
}();

}  // namespace hb
