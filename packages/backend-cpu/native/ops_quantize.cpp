// 4-bit and blockwise 8-bit quantization and decoding.
#include "dispatch.h"
#include "enqueue.h"
#include "tables.h"

using namespace hb;

namespace {

// Both kinds quantize block after block and differ in the kernel: quantize(begin, end) returns its lowest fault.
template <class Quantize>
Task quantize_blocks(uint64_t size, uint64_t block_size, double element_cost, int64_t *fault, Quantize quantize) {
  const auto lowest = std::make_shared<LowestIndex>();
  // Sixteen absmax are a cache line.
  const Rows blocks = {ceil_div(size, block_size), total(element_cost, block_size), 16};
  return {loop(blocks, [=](uint64_t begin, uint64_t end, int) { lowest->see(quantize(begin, end)); }), once([=] { lowest->store(fault); })};
}

}  // namespace

extern "C" {

hb_status hb_quantize_4bit(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *host_code, hb_format format,
                           uint32_t block_size, hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault) {
  const double each = cost_of(cost::encode_4bit, &Kernels::quantize_4bit);
  return enqueue(queue, total(each, size), [=] {
    const Format4 table = make_format4(host_code, format);
    return quantize_blocks(size, block_size, each, fault, [=](uint64_t begin, uint64_t end) {
      return kernels().quantize_4bit({x, dtype}, size, table, block_size, profile, fault != nullptr, begin, end, codes, absmax);
    });
  });
}

hb_status hb_dequantize_4bit(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size,
                             void *out, hb_dtype dtype) {
  const double each = cost_of(cost::decode_4bit, &Kernels::dequantize_4bit);
  return enqueue(queue, total(each, size), [=] {
    return Task{loop({ceil_div(size, block_size), total(each, block_size)}, [=](uint64_t begin, uint64_t end, int) {
      kernels().dequantize_4bit(codes, absmax, code, size, block_size, begin, end, {out, dtype});
    })};
  });
}

hb_status hb_quantize_blockwise(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const float *code, uint64_t block_size,
                                hb_profile profile, uint8_t *codes, float *absmax, int64_t *fault) {
  const double each = cost_of(cost::encode_8bit, &Kernels::quantize_blockwise);
  return enqueue(queue, total(each, size), [=] {
    // The map is a tensor: it may be written by an entry before this one.
    const auto map = std::make_shared<Map8>();
    Task task = {once([=] { *map = make_map8(code); })};
    for (Stage &stage : quantize_blocks(size, block_size, each, fault, [=](uint64_t begin, uint64_t end) {
           return kernels().quantize_blockwise({x, dtype}, size, *map, block_size, profile, fault != nullptr, begin, end, codes, absmax);
         }))
      task.push_back(std::move(stage));
    return task;
  });
}

hb_status hb_dequantize_blockwise(hb_queue *queue, const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size,
                                  float offset, void *out, hb_dtype dtype) {
  // Ranges of whole blocks, as long as a block is not most of a range.
  const uint64_t align = block_size <= 4096 ? block_size : 64;
  const double each = cost_of(cost::decode_8bit, &Kernels::dequantize_blockwise);
  return enqueue(queue, total(each, size), [=] {
    return Task{loop({size, each, align}, [=](uint64_t begin, uint64_t end, int) {
      kernels().dequantize_blockwise(codes, absmax, code, size, block_size, offset, begin, end, {out, dtype});
    })};
  });
}
}
