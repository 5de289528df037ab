// The code of a scaled value in any sorted 8-bit map: the number of the 255 bounds strictly below it.
//
// A binary search of eight steps without a branch or a gather. The first six keep their keys in registers: a step adds 2^step to
// `path` when the value is above the key at `path`, so that step needs a table of 2^step keys, all within one vpermps up to step 4 and one vpermi2ps at
// step 5. `path` has its bits in reverse order of weight; one vpermb of 64 bytes turns it into the group of four codes. The last two steps look
// their keys up in byte planes (simd_avx512.h), 64 values at a time. Clamping to [−1, 1] is folded into the bounds.
//
// Registers: keys 7, group 1, planes 12, values 4, paths 4.
#pragma once
#include "simd_avx512.h"

namespace hb::avx512 {
namespace {

/// Bounds with the clamp folded in, and one that is never below a value. False when the map cannot be searched.
bool fold_bounds(const Map8 &map, float (&bounds)[256]) {
  const float infinity = float_of_bits(infinity_bits);
  for (int i = 0; i < 255; i++) {
    const float bound = map.bounds[i];
    if (bound != bound) return false;
    bounds[i] = bound >= 1 ? infinity : bound < -1 ? -infinity : bound;
  }
  bounds[255] = infinity;
  return true;
}

/// Bit `steps − 1 − i` of the result is bit i of the path.
inline int reversed(int path, int steps) {
  int value = 0;
  for (int i = 0; i < steps; i++) value |= ((path >> i) & 1) << (steps - 1 - i);
  return value;
}

struct SearchTables {
  /// Keys of steps 0…4 by path, 16 lanes each; of step 5, 32.
  float key[5][16], last_key[32];
  uint8_t group[64];
  /// Bounds 4g + 1 by group g, bounds 2h by half group h.
  float of_group[64], of_half[128];

  explicit SearchTables(const float (&bounds)[256]) {
    for (int step = 0; step < 5; step++)
      for (int lane = 0; lane < 16; lane++) key[step][lane] = key_at(bounds, step, lane % (1 << step));
    for (int path = 0; path < 32; path++) last_key[path] = key_at(bounds, 5, path);
    for (int path = 0; path < 64; path++) group[path] = uint8_t(reversed(path, 6));
    for (int g = 0; g < 64; g++) of_group[g] = bounds[4 * g + 1];
    for (int h = 0; h < 128; h++) of_half[h] = bounds[2 * h];
  }

  /// The middle bound of the interval that `path` has led to.
  static float key_at(const float (&bounds)[256], int step, int path) {
    const int width = 256 >> step;
    return bounds[reversed(path, step) * width + width / 2 - 1];
  }
};

struct Search8 {
  __m512 key0, key1, key2, key3, key4, low5, high5;
  __m512i group;
  Planes<64> of_group;
  Planes<128> of_half;
  LowBytes low_bytes;

  explicit Search8(const SearchTables &t)
      : key0(_mm512_loadu_ps(t.key[0])), key1(_mm512_loadu_ps(t.key[1])), key2(_mm512_loadu_ps(t.key[2])), key3(_mm512_loadu_ps(t.key[3])),
        key4(_mm512_loadu_ps(t.key[4])), low5(_mm512_loadu_ps(t.last_key)), high5(_mm512_loadu_ps(t.last_key + 16)),
        group(_mm512_loadu_si512(t.group)), of_group(t.of_group), of_half(t.of_half) {}

  static inline __m512i turn(__m512i path, __m512 s, __m512 key, int bit) {
    return _mm512_mask_add_epi32(path, _mm512_cmp_ps_mask(s, key, _CMP_GT_OQ), path, _mm512_set1_epi32(bit));
  }

  inline __m512i path_of(__m512 s) const {
    __m512i path = _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask(s, key0, _CMP_GT_OQ), 1);
    path = turn(path, s, _mm512_permutexvar_ps(path, key1), 2);
    path = turn(path, s, _mm512_permutexvar_ps(path, key2), 4);
    path = turn(path, s, _mm512_permutexvar_ps(path, key3), 8);
    path = turn(path, s, _mm512_permutexvar_ps(path, key4), 16);
    return turn(path, s, _mm512_permutex2var_ps(low5, path, high5), 32);
  }

  /// 2·index + 1 where the value is above its key, else 2·index.
  template <int entries>
  static inline __m512i refine(const Planes<entries> &keys, __m512i index, __m512 s0, __m512 s1, __m512 s2, __m512 s3) {
    __m512 k0, k1, k2, k3;
    keys.look_up(index, k0, k1, k2, k3);
    const __mmask64 above = join_masks(_mm512_cmp_ps_mask(s0, k0, _CMP_GT_OQ), _mm512_cmp_ps_mask(s1, k1, _CMP_GT_OQ),
                                       _mm512_cmp_ps_mask(s2, k2, _CMP_GT_OQ), _mm512_cmp_ps_mask(s3, k3, _CMP_GT_OQ));
    const __m512i doubled = _mm512_add_epi8(index, index);
    return _mm512_mask_add_epi8(doubled, above, doubled, _mm512_set1_epi8(1));
  }

  /// The codes of 64 values.
  inline __m512i codes_of(__m512 s0, __m512 s1, __m512 s2, __m512 s3) const {
    const __m512i path = low_bytes.of(path_of(s0), path_of(s1), path_of(s2), path_of(s3));
    const __m512i half = refine(of_group, _mm512_permutexvar_epi8(path, group), s0, s1, s2, s3);
    return refine(of_half, half, s0, s1, s2, s3);
  }
};

}  // namespace
}  // namespace hb::avx512
