// 4-bit quantization: absmax, scaled values, codes, two to a byte with the first in the high nibble.
#include "block_scale.h"
#include "encode.h"
#include "scalar.h"

namespace hb::scalar {

namespace {

uint8_t pack_pair(uint32_t first, uint32_t second) { return static_cast<uint8_t>(first << 4 | second); }

template <class Encode>
void encode_block(Floats x, BlockRange block, const Scaling &scaled, Encode encode, uint8_t *codes) {
  float buffer[piece_size];
  // Blocks and pieces are even: only the tensor's end can leave half a byte over.
  for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
    const float *values = widened(x, at, count, buffer);
    uint8_t *bytes = codes + at / 2;
    for (uint64_t i = 0; i + 1 < count; i += 2) bytes[i / 2] = pack_pair(encode(scaled(values[i])), encode(scaled(values[i + 1])));
    if (count % 2 == 1) bytes[count / 2] = pack_pair(encode(scaled(values[count - 1])), encode(0));
  });
}

}  // namespace

int64_t quantize_4bit(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin,
                      uint64_t end, uint8_t *codes, float *absmax) {
  int64_t fault = -1;
  with_encoder(format, profile, [&](auto encode) {
    for (uint64_t b = begin; b < end; b++) {
      const BlockRange block = block_range(b, block_size, size);
      const Measured measured = measure(x, block.begin, block.end, look && fault < 0);
      if (fault < 0) fault = measured.first_non_finite;
      const bool is_partial = block.end - block.begin < block_size;
      const float largest = measured.magnitude.absmax(profile);
      const Scaling scaling = is_partial ? tail_scaling_of(largest, profile) : scaling_of(largest, profile);
      absmax[b] = scaling.absmax;
      encode_block(x, block, scaling, encode, codes);
    }
  });
  return fault;
}

}  // namespace hb::scalar
