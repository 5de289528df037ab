// float16 and bfloat16 as bit patterns, because C++17 has no type for them.
//
// Widening is exact. Narrowing rounds to nearest even, keeps subnormals, overflows to infinity, and keeps the upper payload bits of
// a NaN, made quiet: what the x86 and Arm conversion instructions do, so that tables with and without them agree to the bit.
#pragma once
#include <cstdint>
#include <cstring>

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float widen_float16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00) return from_bits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  if (magnitude >= 0x0400) return from_bits(sign | ((magnitude << 13) + 0x38000000));
  // Subnormal or zero: a multiple of 2^-24, which f32 holds as a normal number.
  return from_bits(sign | bits_of(static_cast<float>(magnitude) * 0x1p-24f));
}

inline uint16_t narrow_to_float16(float value) {
  const uint32_t bits = bits_of(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude >= 0x38800000) {
    const uint32_t rebased = magnitude - 0x38000000;
    return static_cast<uint16_t>(sign | (rebased + 0xfff + (rebased >> 13 & 1)) >> 13);
  }
  // Subnormal: next to 0.5 the last bit of an f32 is worth 2^-24, so the addition rounds; a carry gives the smallest normal number.
  return static_cast<uint16_t>(sign | (bits_of(from_bits(magnitude) + 0.5f) - bits_of(0.5f)));
}

inline float widen_bfloat16(uint16_t half) { return from_bits(static_cast<uint32_t>(half) << 16); }

inline uint16_t narrow_to_bfloat16(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace
}  // namespace hb
