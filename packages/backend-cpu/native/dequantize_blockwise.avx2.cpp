// 8-bit codes to floats: fr(code · absmax), plus an offset. The table of 1 KiB lies in L1; values are fetched one by one and multiplied eight at a time,
// since a gather is no faster on the processors measured. Registers: values 1, scale 1, offset 1.
#include "simd_avx2.h"

namespace hb::avx2 {
namespace {

template <hb_dtype dtype, bool has_offset, bool streaming>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t block_size, float offset, uint64_t begin, uint64_t end, void *out) {
  const __m256 addend = _mm256_set1_ps(offset);
  for (uint64_t i = begin; i < end;) {
    const uint64_t block = i / block_size, block_end = (block + 1) * block_size, stop = block_end < end ? block_end : end;
    const __m256 scale = _mm256_set1_ps(absmax[block]);
    for (; i + 8 <= stop; i += 8) {
      const uint8_t *const c = codes + i;
      const __m256 value = _mm256_mul_ps(
          _mm256_setr_ps(code[c[0]], code[c[1]], code[c[2]], code[c[3]], code[c[4]], code[c[5]], code[c[6]], code[c[7]]), scale);
      store8<dtype, streaming>(out, i, has_offset ? _mm256_add_ps(value, addend) : value);
    }
    for (; i < stop; i++) {
      const float value = code[codes[i]] * absmax[block];
      store_one({out, dtype}, i, has_offset ? value + offset : value);
    }
  }
}

template <hb_dtype dtype>
void decode(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
            void *out) {
  const bool streams = size * bytes_of(dtype) > streaming_bytes && is_aligned(out) && begin % 64 == 0 && block_size % 64 == 0;
  if (offset != 0) return decode<dtype, true, false>(codes, absmax, code, block_size, offset, begin, end, out);
  if (!streams) return decode<dtype, false, false>(codes, absmax, code, block_size, offset, begin, end, out);
  decode<dtype, false, true>(codes, absmax, code, block_size, offset, begin, end, out);
  _mm_sfence();
}

}  // namespace

void dequantize_blockwise(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size, float offset, uint64_t begin, uint64_t end,
                          MutableFloats out) {
  if (out.dtype == HB_FLOAT32) decode<HB_FLOAT32>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
  else if (out.dtype == HB_FLOAT16) decode<HB_FLOAT16>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
  else decode<HB_BFLOAT16>(codes, absmax, code, size, block_size, offset, begin, end, out.data);
}

}  // namespace hb::avx2
