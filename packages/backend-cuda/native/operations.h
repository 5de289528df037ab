// The operations that this library has kernels for, by C name without hb_: hb_build_info lists them.
#pragma once

namespace hb {

constexpr const char *kOperations[] = {
    "dequantize_4bit",
    "dequantize_blockwise",
    "gemm",
    "gemm_4bit",
    "int8_linear_matmul",
    "int8_mixed_scaled_mm",
    "int8_mm_dequant",
    "int8_vectorwise_dequant",
    "int8_vectorwise_quant",
    "optimizer_update_32bit",
    "optimizer_update_8bit_blockwise",
    "quantization_error",
    "quantize_4bit",
    "quantize_blockwise",
};

}  // namespace hb
