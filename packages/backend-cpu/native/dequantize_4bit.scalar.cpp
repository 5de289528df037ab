// 4-bit dequantization: decoded in f32, rounded once to the output dtype.
#include "decode_4bit.h"
#include "float_array.h"
#include "scalar.h"

namespace hb::scalar {

void dequantize_4bit(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size, uint64_t begin,
                     uint64_t end, MutableFloats out) {
  if (begin == end) return;
  float buffer[piece_size];
  for_each_piece(begin * block_size, block_range(end - 1, block_size, size).end, [&](uint64_t at, uint64_t count) {
    decode_4bit(codes, absmax, code, block_size, at, count, buffer);
    narrow(buffer, count, out, at);
  });
}

}  // namespace hb::scalar
