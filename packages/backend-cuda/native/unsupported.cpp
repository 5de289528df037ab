// Operations of halfbyte.h without a CUDA kernel: hb_build_info does not list them, so that core composes them from others or says so. A
// function that gets a kernel moves to its ops_*.cu and its name to operations.h.
#include "halfbyte.h"

extern "C" {

// Products that are not there read nothing packed.
uint64_t hb_pack_int8_bytes(uint64_t, uint64_t) { return 0; }
hb_status hb_pack_int8(hb_queue *, const int8_t *, uint64_t, uint64_t, void *) { return HB_UNSUPPORTED; }

hb_status hb_gemm(hb_queue *, const void *, hb_dtype, const void *, hb_dtype, const void *, hb_dtype, uint64_t, uint64_t, uint64_t, int32_t,
                  void *) {
  return HB_UNSUPPORTED;
}
hb_status hb_int8_vectorwise_quant(hb_queue *, const void *, hb_dtype, uint64_t, uint64_t, float, int8_t *, float *, uint8_t *, int64_t *) {
  return HB_UNSUPPORTED;
}
hb_status hb_int8_vectorwise_dequant(hb_queue *, const int8_t *, const float *, uint64_t, uint64_t, float *) { return HB_UNSUPPORTED; }
hb_status hb_int8_linear_matmul(hb_queue *, const int8_t *, const int8_t *, const void *, uint64_t, uint64_t, uint64_t, int32_t *) {
  return HB_UNSUPPORTED;
}
hb_status hb_int8_mm_dequant(hb_queue *, const int32_t *, const float *, const float *, const void *, hb_dtype, uint64_t, uint64_t, hb_profile,
                             void *, hb_dtype) {
  return HB_UNSUPPORTED;
}
hb_status hb_int8_mixed_scaled_mm(hb_queue *, const void *, const int8_t *, const int8_t *, const void *, const float *, const float *,
                                  const uint8_t *, const void *, hb_dtype, uint64_t, uint64_t, uint64_t, hb_profile, void *, hb_dtype) {
  return HB_UNSUPPORTED;
}
}
