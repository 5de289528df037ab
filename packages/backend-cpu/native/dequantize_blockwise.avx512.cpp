// 8-bit codes to floats: fr(code · absmax), plus an offset for nested statistics. Any table, any block size; 64 values at a time by byte planes
// (simd_avx512.h). Registers: planes 16, values 4, scale 1, offset 1, indices 1.
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

template <hb_dtype dtype, bool has_offset, bool streaming>
void decode(const uint8_t *codes, const float *absmax, const Planes<256> &planes, const float *code, uint64_t block_size, float offset, uint64_t begin,
            uint64_t end, void *out) {
  const __m512 addend = _mm512_set1_ps(offset);
  for (uint64_t i = begin; i < end;) {
    const uint64_t block = i / block_size, block_end = (block + 1) * block_size, stop = block_end < end ? block_end : end;
    const __m512 scale = _mm512_set1_ps(absmax[block]);
    for (; i + 64 <= stop; i += 64) {
      __m512 values[4];
      planes.look_up(_mm512_loadu_si512(codes + i), values[0], values[1], values[2], values[3]);
#pragma GCC unroll 4
      for (int v = 0; v < 4; v++) {
        const __m512 value = _mm512_mul_ps(values[v], scale);
        store16<dtype, streaming>(out, i + 16 * uint64_t(v), has_offset ? _mm512_add_ps(value, addend) : value);
      }
    }
    for (; i < stop; i += 16) {
      const __mmask16 lanes = first_lanes(stop - i);
      const __m512i index = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, codes + i));
      const __m512 value = _mm512_mul_ps(_mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, index, code, 4), scale);
      store_lanes<dtype>(out, i, lanes, has_offset ? _mm512_add_ps(value, addend) : value);
      if (stop - i < 16) i = stop - 16;
    }
  }
}

template <hb_dtype dtype>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
            void *out) {
  const Planes<256> planes(code);
  const uint64_t element = bytes_of(dtype);
  // Blocks of whole lines only: a line that is not written in one go would be written twice.
  const bool streams = size * element > streaming_bytes && is_aligned(out) && begin % 64 == 0 && block_size % 64 == 0;
  if (offset != 0) return decode<dtype, true, false>(codes, absmax, planes, code, block_size, offset, begin, end, out);
  if (!streams) return decode<dtype, false, false>(codes, absmax, planes, code, block_size, offset, begin, end, out);
  decode<dtype, false, true>(codes, absmax, planes, code, block_size, offset, begin, end, out);
  _mm_sfence();
}

}  // namespace

void dequantize_blockwise(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
                          MutableFloats out) {
  if (end - begin < 256) return scalar_kernels.dequantize_blockwise(codes, absmax, code, size, block_size, offset, begin, end, out);
  if (out.dtype == HB_FLOAT32) decode<HB_FLOAT32>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) decode<HB_FLOAT16>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
  else decode<HB_BFLOAT16>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
}

}  // namespace hb::avx512
