// Floats to 8-bit codes, exact, by buckets (buckets_8bit.h): one load and one comparison per value. Maps that do not fit them are the scalar kernel's.
// Registers: constants 3, values 4, entries 1, codes 4.
#include "blocks_8bit.h"
#include "buckets_8bit.h"
#include "full_blocks.h"
#include "simd_wasm.h"

namespace hb::wasm {
namespace {

/// The codes of four values, finite and of a magnitude below 2, in lanes.
inline v128_t codes_of_four(const int32_t *entries, v128_t s) {
  const v128_t order = wasm_v128_xor(s, wasm_u32x4_shr(wasm_i32x4_shr(s, 31), 1));
  const v128_t key = wasm_i32x4_shr(order, 16);
  const v128_t shared = wasm_i32x4_max(wasm_i32x4_min(key, wasm_i32x4_const_splat(Buckets8::high)), wasm_i32x4_const_splat(Buckets8::low));
  const v128_t bucket = wasm_i32x4_sub(key, shared);
  v128_t entry = wasm_v128_load32_zero(entries + wasm_i32x4_extract_lane(bucket, 0));
  entry = wasm_v128_load32_lane(entries + wasm_i32x4_extract_lane(bucket, 1), entry, 1);
  entry = wasm_v128_load32_lane(entries + wasm_i32x4_extract_lane(bucket, 2), entry, 2);
  entry = wasm_v128_load32_lane(entries + wasm_i32x4_extract_lane(bucket, 3), entry, 3);
  const v128_t lower = wasm_i32x4_const_splat(0xffff);
  const v128_t above = wasm_i32x4_gt(wasm_v128_and(order, lower), wasm_v128_and(entry, lower));
  return wasm_i32x4_sub(wasm_u32x4_shr(entry, 16), above);
}

template <hb_dtype dtype>
int64_t quantize(const Blocks8 &blocks, const int32_t *entries, uint64_t begin, uint64_t end) {
  const void *const x = blocks.x.data;
  const size_t block_size = size_t(blocks.block_size);
  const auto largest = [&](uint64_t first) { return largest_of<dtype>(x, size_t(first), block_size); };
  return blocks.each(begin, end, largest, [&](uint64_t start, float reciprocal) {
    const size_t first = size_t(start);
    const v128_t scale = wasm_f32x4_splat(reciprocal);
    const auto four = [&](size_t i) { return codes_of_four(entries, wasm_f32x4_mul(load4<dtype>(x, i), scale)); };
    for (size_t i = first; i < first + block_size; i += 16) {
      const v128_t low = wasm_i16x8_narrow_i32x4(four(i), four(i + 4)), high = wasm_i16x8_narrow_i32x4(four(i + 8), four(i + 12));
      wasm_v128_store(blocks.codes + i, wasm_u8x16_narrow_i16x8(low, high));
    }
  });
}

}  // namespace

int64_t quantize_blockwise(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin, uint64_t end,
                           uint8_t *codes, float *absmax) {
  const Blocks8 blocks{x, size, map, block_size, profile, look, codes, absmax};
  Buckets8 buckets;
  const bool suits = block_size % 16 == 0 && buckets.make(map, profile);
  const auto fast = [&](uint64_t first, uint64_t last) {
    if (x.dtype == HB_FLOAT32) return quantize<HB_FLOAT32>(blocks, buckets.entries(), first, last);
    if (x.dtype == HB_FLOAT16) return quantize<HB_FLOAT16>(blocks, buckets.entries(), first, last);
    return quantize<HB_BFLOAT16>(blocks, buckets.entries(), first, last);
  };
  const auto scalar = [&](uint64_t first, uint64_t last) { return blocks.scalar(first, last); };
  return full_blocks_fast(suits ? size / block_size : 0, begin, end, fast, scalar);
}

}  // namespace hb::wasm
