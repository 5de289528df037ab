// Operations of halfbyte.h without a CUDA kernel: hb_build_info does not list them, so that core composes them from others or says so. A
// function that gets a kernel moves to its ops_*.cu and its name to operations.h.
#include "halfbyte.h"

extern "C" {

hb_status hb_gemm(hb_queue *, const void *, hb_dtype, const void *, hb_dtype, const void *, hb_dtype, uint64_t, uint64_t, uint64_t, int32_t,
                  void *) {
  return HB_UNSUPPORTED;
}
}
