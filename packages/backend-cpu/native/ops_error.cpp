// How far a quantized weight is from its original: segment by segment, decoded by the kernels of its format into a buffer that stays in L1.
#include <algorithm>

#include "dispatch.h"
#include "enqueue.h"

using namespace hb;

namespace {

// A weight of any format with f32 scales.
struct CodedWeight {
  const void *codes;
  const float *absmax;
  const float *code;  // null: int8 rows
  uint32_t entries;
  uint64_t block_size;

  double cost() const {
    if (!code) return cost_of(cost::int8_row, &Kernels::int8_row_dequant);
    return entries == 16 ? cost_of(cost::decode_4bit, &Kernels::dequantize_4bit) : cost_of(cost::decode_8bit, &Kernels::dequantize_blockwise);
  }

  // Elements [begin, begin + count) of a segment. Blocks that divide a segment are decoded in one go; others one by one, as far as they reach into it.
  void decode(uint64_t begin, uint64_t count, float *out) const {
    if (HB_ERROR_SEGMENT % block_size == 0) return decode_blocks(begin, count, block_size, out);
    for (uint64_t at = begin, end = begin + count; at < end;) {
      const uint64_t stop = std::min(end, (at / block_size + 1) * block_size);
      decode_blocks(at, stop - at, stop - at, out + (at - begin));
      at = stop;
    }
  }

 private:
  // Elements in blocks of `width`, the first of which begins at `at`.
  void decode_blocks(uint64_t at, uint64_t count, uint64_t width, float *out) const {
    const float *const scales = absmax + at / block_size;
    const uint8_t *const bytes = static_cast<const uint8_t *>(codes);
    if (!code) kernels().int8_row_dequant(static_cast<const int8_t *>(codes) + at, scales, width, 0, count / width, out);
    else if (entries == 16)
      kernels().dequantize_4bit(bytes + at / 2, scales, code, count, static_cast<uint32_t>(width), 0, ceil_div(count, width), {out, HB_FLOAT32});
    else kernels().dequantize_blockwise(bytes + at, scales, code, count, width, 0, 0, count, {out, HB_FLOAT32});
  }
};

void measure(Floats x, uint64_t size, const CodedWeight &weight, uint64_t segment, float *sums) {
  alignas(64) float decoded[HB_ERROR_SEGMENT];
  const uint64_t begin = segment * HB_ERROR_SEGMENT, count = std::min<uint64_t>(HB_ERROR_SEGMENT, size - begin);
  weight.decode(begin, count, decoded);
  kernels().measure_segment(x, begin, count, decoded, sums + segment * HB_ERROR_COLUMNS);
}

}  // namespace

extern "C" {

hb_status hb_quantization_error(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t size, const void *codes, const float *absmax,
                                const float *code, uint32_t entries, uint64_t block_size, float *sums) {
  const CodedWeight weight = {codes, absmax, code, entries, block_size};
  const double each = cost_of(cost::compare, &Kernels::measure_segment) + weight.cost();
  return enqueue(queue, total(each, size), [=] {
    return Task{loop({ceil_div(size, HB_ERROR_SEGMENT), total(each, HB_ERROR_SEGMENT)}, [=](uint64_t begin, uint64_t end, int) {
      for (uint64_t segment = begin; segment < end; segment++) measure({x, dtype}, size, weight, segment, sums);
    })};
  });
}
}
