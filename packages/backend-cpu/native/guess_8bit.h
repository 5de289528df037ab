// Where a value lies among the thresholds of an 8-bit map, but for one step: a piecewise linear guess of sixteen-bit arithmetic.
//
// A map is folded to magnitudes when it is the same on both sides of zero (the signed dynamic map) or has no negative side (the unsigned one).
// The key of a magnitude is the upper half of its float: eight bits of exponent, seven of mantissa. Inside an octave the guess is linear in the
// mantissa, with at most one bend, where the decades of a dynamic map meet. A guess is right when it is the number of thresholds below the magnitude,
// or one less: one comparison with the threshold of the guess then decides exactly. That every guess is right is checked here, on the numbers that the
// kernels use; a map for which it cannot be is left to a binary search.
//
// No intrinsics: vectors evaluate the guess, this header plans it. Internal linkage, see simd_avx512.h.
#pragma once
#include <string.h>

#include "kernels.h"

namespace hb {
namespace {

/// Thresholds of magnitudes as twice their bits, made odd or lowered by one where a tie goes another way: a value whose bits are rotated left by one,
/// the sign last, is compared with them as an unsigned number.
struct Magnitudes8 {
  /// Two sides: code = 127 ± count, at most 127 below. One side: code = count, 0 below.
  bool two_sided;
  /// 128 or 255; entries from here on are above every value.
  int count;
  uint32_t threshold[256];
  /// Upper halves of the thresholds.
  uint16_t key[255];
};

inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// Twice the bits of |bound|. A positive value moves up above it, a negative one on it: that leaves ties to the lower code. Under the CUDA rule they go to the
/// even code: `bound` is number `i`, and from an odd i both move up, or down, on it; the mirrored bound has the other parity.
inline uint32_t doubled_threshold(float bound, int i, hb_profile profile, bool two_sided) {
  const uint32_t doubled = bits_of_float(bound) << 1;
  if (profile != HB_CUDA) return doubled;
  if (i % 2 == 1) return doubled - 1;
  return two_sided ? doubled + 1 : doubled;
}

/// False when the map has another shape, or thresholds that clamping to [−1, 1] would reach.
inline bool fold_to_magnitudes(const Map8 &map, hb_profile profile, Magnitudes8 &out) {
  out.two_sided = map.bounds[0] < 0;
  const int first = out.two_sided ? 127 : 0;
  out.count = 255 - first;
  for (int i = first; i < 255; i++) {
    const float bound = map.bounds[i];
    if (!(bound > (i == first ? 0 : map.bounds[i - 1]) && bound < 1)) return false;
    if (out.two_sided && i < 254 && map.bounds[253 - i] != -bound) return false;
    out.threshold[i - first] = doubled_threshold(bound, i, profile, out.two_sided);
    out.key[i - first] = uint16_t(bits_of_float(bound) >> 16);
  }
  for (int i = out.count; i < 256; i++) out.threshold[i] = ~uint32_t(0);
  return true;
}

/// guess(key) = (high(mantissa << 9, slope) + start) >> 8, for the piece of the key; high is the upper half of a product of two words.
struct Guess8 {
  /// Octaves are exponents from here on; all below are the first, where the guess is constant.
  static constexpr int lowest_exponent = 96, octaves = 32;
  /// Keys are doubled, as they are without the sign. Above `bend` the second piece of an octave holds, at 32 + octave.
  uint16_t bend[octaves], slope[2 * octaves], start[2 * octaves];
};

/// The thresholds [first, last) lie in mantissas [low, high] of one octave.
struct Piece8 {
  int first, last, low, high;
};

class GuessPlan8 {
 public:
  explicit GuessPlan8(const Magnitudes8 &magnitudes) : magnitudes_(magnitudes) {}

  /// False when no guess is right everywhere.
  bool make(Guess8 &out) const {
    const int lowest = (Guess8::lowest_exponent + 1) << 7;
    if (magnitudes_.key[0] < lowest) return false;
    set_constant(out);
    for (int octave = 1, first = 0; octave < Guess8::octaves; octave++) {
      const int end_key = lowest + (octave << 7);
      int last = first;
      while (last < magnitudes_.count && magnitudes_.key[last] < end_key) last++;
      if (!set_octave(out, octave, first, last)) return false;
      first = last;
    }
    return true;
  }

 private:
  int mantissa(int i) const { return magnitudes_.key[i] & 127; }

  void set_constant(Guess8 &out) const {
    out.bend[0] = 0xffff;
    out.slope[0] = out.slope[Guess8::octaves] = out.start[0] = out.start[Guess8::octaves] = 0;
  }

  /// One piece if that fits, else two that meet behind one of the thresholds.
  bool set_octave(Guess8 &out, int octave, int first, int last) const {
    const int above = octave + Guess8::octaves;
    out.bend[octave] = 0xffff;
    out.slope[above] = out.start[above] = 0;
    if (fit({first, last, 0, 127}, out.slope[octave], out.start[octave])) return true;
    for (int middle = last - 1; middle > first; middle--) {
      const int bend = mantissa(middle - 1);
      if (!fit({first, middle, 0, bend}, out.slope[octave], out.start[octave])) continue;
      if (!fit({middle, last, bend + 1, 127}, out.slope[above], out.start[above])) continue;
      out.bend[octave] = uint16_t((Guess8::lowest_exponent + octave) << 8 | bend << 1);
      return true;
    }
    return false;
  }

  static int line(int mantissa, int slope) { return ((mantissa << 9) * slope) >> 16; }

  /// A line of rising guesses is right in a piece if it is right at every threshold and at both ends. Each of that bounds its start.
  bool fit(const Piece8 &piece, uint16_t &slope, uint16_t &start) const {
    const int steps = piece.last - 1 - piece.first;
    const int width = steps > 0 ? mantissa(piece.last - 1) - mantissa(piece.first) : 1;
    if (width < steps) return false;
    const int rise = steps > 0 ? ((steps << 15) + width / 2) / width : 0;
    const int top = piece.last < magnitudes_.count ? piece.last : magnitudes_.count - 1;
    int least = 256 * (piece.first > 0 ? piece.first - 1 : 0) - line(piece.low, rise), most = 256 * top + 255 - line(piece.high, rise);
    for (int i = piece.first; i < piece.last && least <= most; i++) {
      const int exact = 256 * i - line(mantissa(i), rise);
      least = exact > least ? exact : least;
      most = exact + 255 < most ? exact + 255 : most;
    }
    slope = uint16_t(rise);
    start = uint16_t(least);
    return least <= most;
  }

  const Magnitudes8 &magnitudes_;
};

}  // namespace
}  // namespace hb
