// Single-precision operations as packages/core/src/reference/float32.ts defines them.
//
// Everything else is written with plain operators: the flags forbid contraction, so each of them rounds once.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// `sum` is nearest to sum + error; the neighbour with an odd last bit carries the information that bits were lost. Without branches:
// which way it goes is chance.
inline double round_to_odd(double sum, double error) {
  uint64_t bits;
  std::memcpy(&bits, &sum, sizeof bits);
  const bool is_inexact = (error != 0) & std::isfinite(sum) & (bits % 2 == 0);
  const uint64_t away = static_cast<uint64_t>(is_inexact), toward = 0 - away;
  bits += (error > 0) == (sum > 0) ? away : toward;
  std::memcpy(&sum, &bits, sizeof sum);
  return sum;
}

// a·b + c with one rounding. Used wherever the specification fuses, and nowhere else.
inline float fused_multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return std::fma(a, b, c);
#else
  // Not std::fma without the instruction: not every C library rounds once (wasi-libc changes the rounding mode, which WebAssembly has not).
  // The product of two f32 is exact in float64; the sum is rounded to odd there (Boldo and Melquiond, 2008), so that the second
  // rounding cannot go wrong.
  const double addend = static_cast<double>(c);
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double sum = product + addend;
  const double other = sum - product;
  const double error = (product - (sum - other)) + (addend - other);
  return static_cast<float>(round_to_odd(sum, error));
#endif
}

inline bool is_nan(float value) { return value != value; }
// NaN and infinity times 0 are NaN.
inline bool is_finite(float value) { return value * 0 == 0; }

inline float square_root(float value) { return std::sqrt(value); }

// Zeros of both signs and NaN are their own sign.
inline float sign_of(float value) { return value > 0 ? 1 : value < 0 ? -1 : value; }

// Between −1 and 1; NaN stays NaN.
inline float clamp_unit(float value) { return value > 1 ? 1 : value < -1 ? -1 : value; }

// Nearest integer of |value| < 2^22, ties to even: next to 1.5 · 2^23 the last bit of an f32 is worth 1.
inline float round_half_even(float value) { return (value + 0x1.8p23f) - 0x1.8p23f; }

}  // namespace
}  // namespace hb
