// The table of machines with dot product instructions. It goes by the name of NEON, which fills its gaps: users choose between vectors and none.
#include "neon.h"

namespace hb {

const Kernels dotprod_kernels = {
    "neon",
    nullptr,  // quantize_4bit
    nullptr,  // dequantize_4bit
    nullptr,  // quantize_blockwise
    nullptr,  // dequantize_blockwise
    nullptr,  // gemm_4bit
    nullptr,  // gemm
    nullptr,  // gemm_transposed
    nullptr,  // int8_row_stats
    nullptr,  // int8_row_quant
    nullptr,  // int8_row_dequant
    dotprod::int8_matmul,
    nullptr,  // int8_matmul_packed
    nullptr,  // int8_mm_dequant
    nullptr,  // optimizer_32bit
    nullptr,  // optimizer_8bit
};

}  // namespace hb
