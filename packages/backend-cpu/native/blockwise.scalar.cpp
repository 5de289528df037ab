// Blockwise 8-bit: one byte per element, a 256-entry map, one absmax per block.
#include "block_scale.h"
#include "encode.h"
#include "scalar.h"

namespace hb::scalar {

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin,
                           uint64_t end, uint8_t *codes, float *absmax) {
  int64_t fault = -1;
  with_encoder(map, profile, [&](auto encode) {
    float buffer[piece_size];
    for (uint64_t b = begin; b < end; b++) {
      const BlockRange block = block_range(b, block_size, size);
      const Measured measured = measure(x, block.begin, block.end, look && fault < 0);
      if (fault < 0) fault = measured.first_non_finite;
      const Scaling scaled = scaling_of(measured.magnitude.absmax(profile), profile);
      absmax[b] = scaled.absmax;
      // A zero block gets the code of 0, except on CUDA, whose kernel writes code 0.
      if (profile == HB_CUDA && scaled.absmax == 0) {
        std::memset(codes + block.begin, 0, static_cast<size_t>(block.end - block.begin));
        continue;
      }
      for_each_piece(block.begin, block.end, [&](uint64_t at, uint64_t count) {
        const float *values = widened(x, at, count, buffer);
        for (uint64_t i = 0; i < count; i++) codes[at + i] = encode(scaled(values[i]));
      });
    }
  });
  return fault;
}

void dequantize_blockwise(const uint8_t *codes, const float *absmax, const float *code, uint64_t, uint64_t block_size, float offset, uint64_t begin,
                          uint64_t end, MutableFloats out) {
  float buffer[piece_size];
  uint64_t block = begin / block_size;
  uint64_t block_end = (block + 1) * block_size;
  for_each_piece(begin, end, [&](uint64_t at, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
      if (at + i == block_end) {
        block++;
        block_end += block_size;
      }
      const float value = code[codes[at + i]] * absmax[block];
      // Adding 0 would turn −0 into +0.
      buffer[i] = offset == 0 ? value : value + offset;
    }
    narrow(buffer, count, out, at);
  });
}

}  // namespace hb::scalar
