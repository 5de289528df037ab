// The NEON table. What is missing comes from the scalar kernels.
#include "neon.h"

namespace hb {

const Kernels neon_kernels = {
    "neon",
    neon::quantize_4bit,
    neon::dequantize_4bit,
    neon::quantize_blockwise,
    neon::dequantize_blockwise,
    neon::gemm_4bit,
    neon::gemm,
    nullptr,  // gemm_transposed
    neon::int8_row_stats,
    neon::int8_row_quant,
    neon::int8_row_dequant,
    neon::int8_matmul,
    nullptr,  // int8_matmul_packed
    neon::int8_mm_dequant,
    nullptr,  // optimizer_32bit
    nullptr,  // optimizer_8bit
};

}  // namespace hb
