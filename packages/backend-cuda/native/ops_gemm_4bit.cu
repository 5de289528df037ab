// hb_gemm_4bit, and the packed form that this library has none of.
#include "gemm_4bit.h"
#include "queue.h"

namespace hb {
namespace {

void enqueue_gemm_4bit(hb_queue *queue, const Product4 &product) {
  queue->push([&](cudaStream_t stream) {
    if (product.m == 0 || product.n == 0) return;
    if (!gemm_4bit_mma(*queue, stream, product)) gemm_4bit_simt(stream, queue->traits(), product);
  });
}

}  // namespace
}  // namespace hb

extern "C" {

// Products read the bytes of the checkpoint itself: a copy in another order would cost its memory again and save them nothing.
uint64_t hb_pack_4bit_bytes(uint64_t, uint64_t, uint32_t) { return 0; }
hb_status hb_pack_4bit(hb_queue *, const uint8_t *, const float *, uint32_t, uint64_t, uint64_t, void *) { return HB_UNSUPPORTED; }

hb_status hb_gemm_4bit(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const float *absmax, const void *, const float *code,
                       uint32_t block_size, hb_accuracy accuracy, const void *bias, hb_dtype bias_dtype, uint64_t m, uint64_t n, uint64_t k,
                       void *out) {
  const hb::Weight4 weight = {codes, hb::plain_scales(absmax), code, block_size};
  return hb::guarded([=] { hb::enqueue_gemm_4bit(queue, {x, dtype, weight, accuracy, bias, bias_dtype, m, n, k, out}); });
}

hb_status hb_gemm_4bit_nested(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const uint8_t *absmax,
                              const float *nested_absmax, const float *nested_code, uint32_t nested_block_size, float offset, const float *code,
                              uint32_t block_size, hb_accuracy accuracy, const void *bias, hb_dtype bias_dtype, uint64_t m, uint64_t n, uint64_t k,
                              void *out) {
  const hb::BlockScales scales = hb::nested_scales(absmax, nested_absmax, nested_code, nested_block_size, offset);
  const hb::Weight4 weight = {codes, scales, code, block_size};
  return hb::guarded([=] { hb::enqueue_gemm_4bit(queue, {x, dtype, weight, accuracy, bias, bias_dtype, m, n, k, out}); });
}
}
