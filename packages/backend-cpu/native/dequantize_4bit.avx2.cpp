// 4-bit codes to floats. f32: the table times absmax in two registers, indices by variable shifts of a broadcast dword (simd_avx2.h).
// 16-bit dtypes: the scaled table is rounded once and split into planes of low and high bytes; two pshufb look up 16 codes, unpacking joins them.
// Registers: table 2, scaled 2 or planes 2, shifts 1, indices 2.
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

template <bool streaming>
void to_float32(const uint8_t *codes, const float *absmax, const Table16 &table, uint32_t block_size, uint64_t begin, uint64_t end, float *out) {
  for (uint64_t block = begin; block < end; block++) {
    const Table16 scaled = table.times(absmax[block]);
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 8) store8<HB_FLOAT32, streaming>(out, i, scaled.decode8(codes + i / 2));
  }
}

template <bool streaming>
inline void store_words(uint16_t *to, __m128i words) {
  if constexpr (streaming) _mm_stream_si128(reinterpret_cast<__m128i *>(to), words);
  else _mm_storeu_si128(reinterpret_cast<__m128i *>(to), words);
}

template <hb_dtype dtype, bool streaming>
void to_16_bits(const uint8_t *codes, const float *absmax, const Table16 &table, uint32_t block_size, uint64_t begin, uint64_t end, uint16_t *out) {
  const __m128i nibble = _mm_set1_epi8(15), low_byte = _mm_set1_epi16(255);
  for (uint64_t block = begin; block < end; block++) {
    const Table16 scaled = table.times(absmax[block]);
    const __m128i words0 = to_halves<dtype>(scaled.low), words1 = to_halves<dtype>(scaled.high);
    const __m128i low = _mm_packus_epi16(_mm_and_si128(words0, low_byte), _mm_and_si128(words1, low_byte));
    const __m128i high = _mm_packus_epi16(_mm_srli_epi16(words0, 8), _mm_srli_epi16(words1, 8));
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 32) {
      const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i *>(codes + i / 2));
      const __m128i even = _mm_and_si128(_mm_srli_epi16(packed, 4), nibble), odd = _mm_and_si128(packed, nibble);
      const __m128i index0 = _mm_unpacklo_epi8(even, odd), index1 = _mm_unpackhi_epi8(even, odd);
      const __m128i low0 = _mm_shuffle_epi8(low, index0), high0 = _mm_shuffle_epi8(high, index0);
      const __m128i low1 = _mm_shuffle_epi8(low, index1), high1 = _mm_shuffle_epi8(high, index1);
      store_words<streaming>(out + i, _mm_unpacklo_epi8(low0, high0));
      store_words<streaming>(out + i + 8, _mm_unpackhi_epi8(low0, high0));
      store_words<streaming>(out + i + 16, _mm_unpacklo_epi8(low1, high1));
      store_words<streaming>(out + i + 24, _mm_unpackhi_epi8(low1, high1));
    }
  }
}

template <bool streaming>
void decode(const uint8_t *codes, const float *absmax, const Table16 &table, uint32_t block_size, uint64_t begin, uint64_t end, MutableFloats out) {
  if (out.dtype == HB_FLOAT32) to_float32<streaming>(codes, absmax, table, block_size, begin, end, static_cast<float *>(out.data));
  else if (out.dtype == HB_FLOAT16)
    to_16_bits<HB_FLOAT16, streaming>(codes, absmax, table, block_size, begin, end, static_cast<uint16_t *>(out.data));
  else to_16_bits<HB_BFLOAT16, streaming>(codes, absmax, table, block_size, begin, end, static_cast<uint16_t *>(out.data));
}

}  // namespace

void dequantize_4bit(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size, uint64_t begin, uint64_t end,
                     MutableFloats out) {
  const uint64_t full = block_size % 32 == 0 ? size / block_size : 0;
  const uint64_t split = end < full ? end : full;
  if (begin < split) {
    const Table16 table(code);
    if (size * bytes_of(out.dtype) > streaming_bytes && is_aligned(out.data)) {
      decode<true>(codes, absmax, table, block_size, begin, split, out);
      _mm_sfence();
    } else {
      decode<false>(codes, absmax, table, block_size, begin, split, out);
    }
  }
  const uint64_t rest = begin < split ? split : begin;
  if (rest < end) scalar_kernels.dequantize_4bit(codes, absmax, code, size, block_size, rest, end, out);
}

}  // namespace hb::avx2
