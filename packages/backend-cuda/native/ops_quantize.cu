// hb_quantize_4bit and hb_quantize_blockwise: which kernel, and with how many threads.
#include "grid.h"
#include "quantize.cuh"
#include "queue.h"
#include "self_check.h"

namespace hb {

namespace {

bool is_grouped(uint64_t block_size) {
  return block_size >= kPerThread && block_size <= kLargestGrouped && (block_size & (block_size - 1)) == 0;
}

template <class Element, class Encoder>
void launch_quantize(cudaStream_t stream, const QuantizeTask<Element, Encoder> &task, uint64_t block_size) {
  if (is_grouped(block_size)) {
    const uint32_t threads = std::max(kThreads, static_cast<uint32_t>(block_size / kPerThread));
    const uint64_t tiles = ceil_div(task.size, uint64_t{kPerThread} * threads);
    launch(quantize_grouped<Element, Encoder>, thread_blocks(tiles), threads, stream, task, tiles);
  } else {
    const uint64_t blocks = ceil_div(task.size, block_size);
    launch(quantize_any<Element, Encoder>, thread_blocks(blocks), block_size < 1024 ? 32u : kThreads, stream, task, blocks);
  }
}

struct Tensor {
  const void *data;
  hb_dtype dtype;
  uint64_t size;
};

struct Quantized {
  uint8_t *codes;
  float *absmax;
  int64_t *fault;
};

template <class Encoder>
void enqueue_quantize(hb_queue *queue, const Tensor &x, uint64_t block_size, hb_profile profile, const Encoder &encoder, const Quantized &out) {
  queue->push([&](cudaStream_t stream) {
    auto *fault = reinterpret_cast<unsigned long long *>(out.fault);
    if (fault) expect(cudaMemsetAsync(fault, 0xff, sizeof *fault, stream), "cudaMemsetAsync");
    if (x.size == 0) return;
    with_element(x.dtype, [&](auto element) {
      using Element = decltype(element);
      const auto *data = static_cast<const typename Element::Storage *>(x.data);
      launch_quantize<Element, Encoder>(stream, {data, x.size, BlockOf(block_size), profile, encoder, out.codes, out.absmax, fault}, block_size);
    });
  });
}

}  // namespace

void expect_loadable_kernels() {
  cudaFuncAttributes attributes;
  expect(cudaFuncGetAttributes(&attributes, quantize_grouped<Float32, Encoder4>), "cudaFuncGetAttributes");
}

}  // namespace hb

extern "C" {

hb_status hb_quantize_4bit(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *host_code, hb_format format,
                           uint32_t block_size, hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault) {
  return hb::guarded([=] {
    hb::enqueue_quantize(queue, {x, dtype, size}, block_size, profile, hb::Encoder4(host_code, format, profile), {codes, absmax, fault});
  });
}

hb_status hb_quantize_blockwise(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *code, uint64_t block_size,
                                hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault) {
  return hb::guarded([=] {
    hb::enqueue_quantize(queue, {x, dtype, size}, block_size, profile, hb::Encoder8(code, profile), {codes, absmax, fault});
  });
}
}
