// hb_dequantize_4bit and hb_dequantize_blockwise.
#include "dequantize.cuh"
#include "grid.h"
#include "queue.h"

namespace hb {

namespace {

constexpr uint32_t kThreads = 256;

template <class Codes>
void enqueue_dequantize(hb_queue *queue, const Coded &from, float offset, void *out, hb_dtype dtype) {
  queue->push([&](cudaStream_t stream) {
    if (from.size == 0) return;
    with_element(dtype, [&](auto element) {
      using Element = decltype(element);
      const DequantizeTask<Element> task = {from, offset, static_cast<typename Element::Storage *>(out)};
      launch(dequantize<Element, Codes>, thread_blocks(ceil_div(from.size, uint64_t{kPerThread} * kThreads)), kThreads, stream, task);
    });
  });
}

}  // namespace

}  // namespace hb

extern "C" {

hb_status hb_dequantize_4bit(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size,
                             void *out, hb_dtype dtype) {
  const hb::Coded from = {codes, hb::plain_scales(absmax), code, size, hb::BlockOf(block_size)};
  return hb::guarded([=] { hb::enqueue_dequantize<hb::Nibbles>(queue, from, 0, out, dtype); });
}

hb_status hb_dequantize_4bit_nested(hb_queue *queue, const uint8_t *codes, const uint8_t *absmax, const float *nested_absmax,
                                    const float *nested_code, uint32_t nested_block_size, float offset, const float *code, uint64_t size,
                                    uint32_t block_size, void *out, hb_dtype dtype) {
  const hb::BlockScales scales = hb::nested_scales(absmax, nested_absmax, nested_code, nested_block_size, offset);
  const hb::Coded from = {codes, scales, code, size, hb::BlockOf(block_size)};
  return hb::guarded([=] { hb::enqueue_dequantize<hb::Nibbles>(queue, from, 0, out, dtype); });
}

hb_status hb_dequantize_blockwise(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size,
                                  float offset, void *out, hb_dtype dtype) {
  const hb::Coded from = {codes, hb::plain_scales(absmax), code, size, hb::BlockOf(block_size)};
  return hb::guarded([=] { hb::enqueue_dequantize<hb::Bytes>(queue, from, offset, out, dtype); });
}
}
