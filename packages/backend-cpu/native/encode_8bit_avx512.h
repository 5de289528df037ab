// Scaled values to codes of an 8-bit map, exact: 64 at a time, by a guess (guess_8bit.h) and the one threshold that decides.
//
// The guess takes 32 values per instruction, in words; the thresholds of 64 guesses come from byte planes (simd_avx512.h). Values are rotated left by one
// bit for the comparison: magnitudes in order, and the sign last, which decides ties. Maps that cannot be guessed are searched (search_8bit_avx512.h).
//
// Registers: pieces 5, planes 8 (16 for a map without negative values, which do not all fit: some are read from L1), orders 4, constants 4, values 4.
#pragma once
#include "guess_8bit.h"
#include "search_8bit_avx512.h"

namespace hb::avx512 {
namespace {

template <bool two_sided>
struct GuessEncoder8 {
  __m512i bend, slope0, slope1, start0, start1;
  Planes<two_sided ? 128 : 256> thresholds;
  __m512i upper_halves, upper_bytes;

  GuessEncoder8(const Magnitudes8 &magnitudes, const Guess8 &guess)
      : bend(_mm512_loadu_si512(guess.bend)), slope0(_mm512_loadu_si512(guess.slope)), slope1(_mm512_loadu_si512(guess.slope + 32)),
        start0(_mm512_loadu_si512(guess.start)), start1(_mm512_loadu_si512(guess.start + 32)), thresholds(magnitudes.threshold) {
    uint16_t words[32];
    uint8_t bytes[64];
    for (int i = 0; i < 32; i++) words[i] = uint16_t(2 * i + 1);
    for (int i = 0; i < 64; i++) bytes[i] = uint8_t(2 * i + 1);
    upper_halves = _mm512_loadu_si512(words);
    upper_bytes = _mm512_loadu_si512(bytes);
  }

  /// 256 times the guess, and less than 256 more.
  inline __m512i guess_of(__m512i key) const {
    const __m512i doubled = _mm512_add_epi16(key, key);
    const __m512i octave = _mm512_subs_epu16(_mm512_srli_epi16(doubled, 8), _mm512_set1_epi16(Guess8::lowest_exponent));
    const __mmask32 bent = _mm512_cmpgt_epu16_mask(doubled, _mm512_permutexvar_epi16(octave, bend));
    const __m512i piece = _mm512_mask_add_epi16(octave, bent, octave, _mm512_set1_epi16(Guess8::octaves));
    const __m512i rise = _mm512_mulhi_epu16(_mm512_slli_epi16(key, 9), _mm512_permutex2var_epi16(slope0, piece, slope1));
    return _mm512_add_epi16(rise, _mm512_permutex2var_epi16(start0, piece, start1));
  }

  /// The codes of 64 values, finite and of a magnitude below 2.
  inline __m512i codes_of(__m512 s0, __m512 s1, __m512 s2, __m512 s3) const {
    const __m512i b0 = _mm512_castps_si512(s0), b1 = _mm512_castps_si512(s1), b2 = _mm512_castps_si512(s2), b3 = _mm512_castps_si512(s3);
    const __m512i key01 = _mm512_permutex2var_epi16(b0, upper_halves, b1), key23 = _mm512_permutex2var_epi16(b2, upper_halves, b3);
    const __m512i guess = _mm512_permutex2var_epi8(guess_of(key01), upper_bytes, guess_of(key23));
    __m512 t0, t1, t2, t3;
    thresholds.look_up(guess, t0, t1, t2, t3);
    const __mmask64 above = join_masks(is_above(b0, t0), is_above(b1, t1), is_above(b2, t2), is_above(b3, t3));
    const __m512i count = _mm512_mask_add_epi8(guess, above, guess, _mm512_set1_epi8(1));
    const __mmask64 negative = _mm512_kunpackd(_mm512_movepi16_mask(key23), _mm512_movepi16_mask(key01));
    if constexpr (!two_sided) return _mm512_maskz_mov_epi8(__mmask64(~negative), count);
    const __m512i zero = _mm512_set1_epi8(127);
    const __m512i below = _mm512_mask_min_epu8(count, negative, count, zero);
    return _mm512_mask_sub_epi8(_mm512_add_epi8(below, zero), negative, zero, below);
  }

 private:
  static inline __mmask16 is_above(__m512i bits, __m512 threshold) {
    return _mm512_cmpgt_epu32_mask(_mm512_rol_epi32(bits, 1), _mm512_castps_si512(threshold));
  }
};

/// Calls run(encoder) with one that has codes_of() for this map and profile; false, and no call, when there is none: the scalar kernels know every map.
/// Values must be finite and below 2 in magnitude; a search also takes others.
template <typename Run>
inline bool with_encoder_8bit(const Map8 &map, hb_profile profile, const Run &run) {
  Magnitudes8 magnitudes;
  Guess8 guess;
  if (fold_to_magnitudes(map, profile, magnitudes) && GuessPlan8(magnitudes).make(guess)) {
    if (magnitudes.two_sided) run(GuessEncoder8<true>(magnitudes, guess));
    else run(GuessEncoder8<false>(magnitudes, guess));
    return true;
  }
  float bounds[256];
  if (profile != HB_REFERENCE || !fold_bounds(map, bounds)) return false;
  run(Search8(SearchTables(bounds)));
  return true;
}

}  // namespace
}  // namespace hb::avx512
