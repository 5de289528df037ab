// The AVX-512 table. What is missing comes from AVX2 or the scalar kernels.
#include "avx512.h"

namespace hb {

const Kernels avx512_kernels = {
    "avx512",
    avx512::quantize_4bit,
    avx512::dequantize_4bit,
    avx512::quantize_blockwise,
    avx512::dequantize_blockwise,
    avx512::gemm_4bit,
    avx512::prepare_activations,
    avx512::gemm_4bit_packed,
    avx512::gemm,
    avx512::gemm_transposed,
    avx512::int8_row_stats,
    avx512::int8_row_quant,
    avx512::int8_row_dequant,
    avx512::int8_matmul,
    avx512::int8_matmul_packed,
    avx512::int8_mm_dequant,
    avx512::optimizer_32bit,
    avx512::optimizer_8bit,
};

}  // namespace hb
