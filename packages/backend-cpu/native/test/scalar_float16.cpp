// float16.h against the meaning of its formats, exhaustively: every 16-bit number, every boundary between neighbours.
//
// A plain program: exits 1 when a check fails. Equality with packages/core is the business of the conformance suite.
#include <cmath>
#include <cstdio>

#include "float16.h"

namespace {

int failures = 0;

void check(bool holds, const char *what, unsigned bits) {
  if (holds) return;
  std::printf("FAILED %s at %#x\n", what, bits);
  failures++;
}

// Value of a 16-bit float with `mantissa_bits` from its fields.
double value_of(uint16_t bits, int mantissa_bits) {
  const int bias = (1 << (14 - mantissa_bits)) - 1;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const int implicit = exponent == 0 ? 0 : 1 << mantissa_bits;
  const double magnitude = std::ldexp(implicit + mantissa, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

template <class Widen, class Narrow>
void check_format(int mantissa_bits, Widen widen, Narrow narrow) {
  const uint16_t infinity = static_cast<uint16_t>(0x7fff >> mantissa_bits << mantissa_bits);
  const uint16_t quiet = static_cast<uint16_t>(1 << (mantissa_bits - 1));
  for (unsigned i = 0; i < 0x10000; i++) {
    const uint16_t bits = static_cast<uint16_t>(i);
    const uint16_t magnitude = bits & 0x7fff;
    const float value = widen(bits);
    if (magnitude > infinity) {
      check(std::isnan(value), "NaN widens", i);
      check(narrow(value) == (bits | quiet), "NaN keeps its payload", i);
      continue;
    }
    check(narrow(value) == bits, "round trip", i);
    if (magnitude == infinity) continue;
    check(static_cast<double>(value) == value_of(bits, mantissa_bits), "value", i);
    // The neighbour away from zero, where infinity stands for the next power of two; no neighbour has the same sign and last bit.
    const uint16_t next = static_cast<uint16_t>(bits + 1);
    const float middle = static_cast<float>((value_of(bits, mantissa_bits) + value_of(next, mantissa_bits)) / 2);
    check(narrow(middle) == (bits % 2 == 0 ? bits : next), "tie to even", i);
    check(narrow(std::nextafter(middle, 0.0f)) == bits, "below a tie", i);
    if (std::isfinite(std::nextafter(middle, middle * 2)))
      check(narrow(std::nextafter(middle, middle * 2)) == next, "above a tie", i);
  }
}

}  // namespace

int main() {
  check_format(10, hb::widen_float16, hb::narrow_to_float16);
  check_format(7, hb::widen_bfloat16, hb::narrow_to_bfloat16);
  std::printf("float16: all numbers and boundaries, %d failures\n", failures);
  return failures != 0;
}
