// 4-bit codes to floats: the table times absmax is sixteen values, one register; a code is an index into it.
//
// Registers: table 1, scaled table 1, nibble shifts 1, indices 1. vpmultishiftqb takes, for every byte it writes, eight bits from
// any place of a quadword: one instruction spreads sixteen packed nibbles over sixteen lanes in order, high nibble first. What it leaves above a
// nibble does no harm: vpermps reads four bits of an index; vpermw reads five, so the 16-bit table is there twice.
// Two instructions per 16 values: bound by memory. The 16-bit dtypes round the scaled table, not every value.
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

template <bool streaming>
void to_float32(const uint8_t *codes, const float *absmax, __m512 table, uint32_t block_size, uint64_t begin, uint64_t end, float *out) {
  const __m512i shifts = _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 36, 32, 44, 40, 52, 48, 60, 56);
  for (uint64_t block = begin; block < end; block++) {
    const __m512 scaled = _mm512_mul_ps(table, _mm512_set1_ps(absmax[block]));
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 16) {
      int64_t packed;
      memcpy(&packed, codes + i / 2, sizeof packed);
      const __m512i index = _mm512_multishift_epi64_epi8(shifts, _mm512_set1_epi64(packed));
      store16<HB_FLOAT32, streaming>(out, i, _mm512_permutexvar_ps(index, scaled));
    }
  }
}

template <hb_dtype dtype, bool streaming>
void to_16_bits(const uint8_t *codes, const float *absmax, __m512 table, uint32_t block_size, uint64_t begin, uint64_t end, uint16_t *out) {
  const __m512i shifts = _mm512_set_epi16(56, 60, 48, 52, 40, 44, 32, 36, 24, 28, 16, 20, 8, 12, 0, 4, 56, 60, 48, 52, 40, 44, 32, 36, 24, 28, 16, 20,
                                          8, 12, 0, 4);
  const __m512i four_of_each = _mm512_setr_epi64(0, 0, 0, 0, 1, 1, 1, 1);
  for (uint64_t block = begin; block < end; block++) {
    const __m512 scaled = _mm512_mul_ps(table, _mm512_set1_ps(absmax[block]));
    const __m512i twice = _mm512_broadcast_i64x4(to_halves<dtype>(scaled));
    const uint64_t first = block * block_size;
    for (uint64_t i = first; i < first + block_size; i += 32) {
      const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i *>(codes + i / 2));
      const __m512i spread = _mm512_permutexvar_epi64(four_of_each, _mm512_castsi128_si512(packed));
      const __m512i values = _mm512_permutexvar_epi16(_mm512_multishift_epi64_epi8(shifts, spread), twice);
      if constexpr (streaming) _mm512_stream_si512(reinterpret_cast<__m512i *>(out + i), values);
      else _mm512_storeu_si512(out + i, values);
    }
  }
}

template <bool streaming>
void decode(const uint8_t *codes, const float *absmax, __m512 table, uint32_t block_size, uint64_t begin, uint64_t end, MutableFloats out) {
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
    const __m512 table = _mm512_loadu_ps(code);
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

}  // namespace hb::avx512
