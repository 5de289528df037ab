// The WebAssembly table. What is missing comes from the scalar kernels.
#include "wasm.h"

namespace hb {

const Kernels wasm_kernels = {
#if defined(__wasm_relaxed_simd__)
    "wasm-relaxed",
#else
    "wasm",
#endif
    wasm::quantize_4bit,
    wasm::dequantize_4bit,
    wasm::quantize_blockwise,
    wasm::dequantize_blockwise,
    wasm::gemm_4bit,
    wasm::gemm,
    nullptr,  // gemm_transposed
    wasm::int8_row_stats,
    wasm::int8_row_quant,
    nullptr,  // int8_row_dequant
    wasm::int8_matmul,
    nullptr,  // int8_matmul_packed
    nullptr,  // int8_mm_dequant
    nullptr,  // optimizer_32bit
    nullptr,  // optimizer_8bit
};

}  // namespace hb
