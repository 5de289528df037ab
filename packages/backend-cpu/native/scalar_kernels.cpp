// The table every machine can run, complete: the oracle of the others.
#include "scalar.h"

namespace hb {

const Kernels scalar_kernels = {
    "scalar",
    scalar::quantize_4bit,
    scalar::dequantize_4bit,
    scalar::quantize_blockwise,
    scalar::dequantize_blockwise,
    scalar::gemm_4bit,
    nullptr,  // prepare_activations
    nullptr,  // gemm_4bit_packed
    scalar::gemm,
    scalar::gemm_transposed,
    scalar::int8_row_stats,
    scalar::int8_row_quant,
    scalar::int8_row_dequant,
    scalar::int8_matmul,
    scalar::int8_matmul_packed,
    scalar::int8_mm_dequant,
    scalar::optimizer_32bit,
    scalar::optimizer_8bit,
};

}  // namespace hb
