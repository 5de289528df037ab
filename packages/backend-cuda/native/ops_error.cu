// hb_quantization_error.
#include "grid.h"
#include "quantization_error.cuh"
#include "queue.h"

namespace hb {
namespace {

template <class Codes>
void enqueue_error(hb_queue *queue, const void *x, hb_dtype dtype, const Coded &weight, float *sums) {
  queue->push([&](cudaStream_t stream) {
    if (weight.size == 0) return;
    const uint64_t segments = ceil_div(weight.size, HB_ERROR_SEGMENT);
    with_element(dtype, [&](auto element) {
      using Element = decltype(element);
      const ErrorTask<Element> task = {static_cast<const typename Element::Storage *>(x), weight, sums};
      launch(quantization_error<Element, Codes>, thread_blocks(segments), kErrorThreads, stream, task, segments);
    });
  });
}

}  // namespace
}  // namespace hb

extern "C" hb_status hb_quantization_error(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const void *codes, const float *absmax,
                                           const float *code, uint32_t entries, uint64_t block_size, float *sums) {
  return hb::guarded([=] {
    const hb::Coded weight = {static_cast<const uint8_t *>(codes), hb::plain_scales(absmax), code, size, hb::BlockOf(block_size)};
    if (!code) hb::enqueue_error<hb::SignedBytes>(queue, x, dtype, weight, sums);
    else if (entries == 16) hb::enqueue_error<hb::Nibbles>(queue, x, dtype, weight, sums);
    else hb::enqueue_error<hb::Bytes>(queue, x, dtype, weight, sums);
  });
}
