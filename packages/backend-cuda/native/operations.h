// The operations that this library has kernels for, by C name without hb_. The others return HB_UNSUPPORTED (unsupported.cpp), and callers
// who read hb_build_info know beforehand.
#pragma once

namespace hb {

constexpr const char *kOperations[] = {"quantize_4bit", "dequantize_4bit", "quantize_blockwise", "dequantize_blockwise", "quantization_error"};

}  // namespace hb
