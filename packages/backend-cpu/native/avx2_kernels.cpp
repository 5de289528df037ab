// The AVX2 table. What is missing comes from the scalar kernels.
#include "avx2.h"

namespace hb {

const Kernels avx2_kernels = {
    "avx2",
    avx2::quantize_4bit,
    avx2::dequantize_4bit,
    avx2::quantize_blockwise,
    avx2::dequantize_blockwise,
    avx2::gemm_4bit,
    nullptr,  // prepare_activations
    nullptr,  // gemm_4bit_packed
    avx2::gemm,
    avx2::gemm_transposed,
    avx2::int8_row_stats,
    avx2::int8_row_quant,
    avx2::int8_row_dequant,
    avx2::int8_matmul,
    nullptr,  // int8_matmul_packed
    avx2::int8_mm_dequant,
    avx2::optimizer_32bit,
    avx2::optimizer_8bit,
};

}  // namespace hb
