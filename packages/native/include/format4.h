// From a table of 16 values to the decisions of a kernel: value order and midpoints (core/src/formats/codebook.ts). For every native library.
#pragma once
#include <cstdint>
#include <cstring>

#include "halfbyte.h"

namespace hb {

// A 4-bit format with its derived decision rule: code = order[number of bounds strictly below the scaled value].
struct Format4 {
  float code[16];
  float bounds[15];
  uint8_t order[16];
  hb_format format;
};

// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

inline float midpoint(float a, float b) { return (a + b) * 0.5f; }

// Entries of equal value keep their code order, which is how FP4's code 8 catches the smallest positive values.
inline Format4 make_format4(const float *code, hb_format format) {
  Format4 out;
  out.format = format;
  std::memcpy(out.code, code, sizeof out.code);
  for (int i = 0; i < 16; i++) {
    int at = i;
    for (; at > 0 && code[out.order[at - 1]] > code[i]; at--) out.order[at] = out.order[at - 1];
    out.order[at] = static_cast<uint8_t>(i);
  }
  for (int i = 0; i < 15; i++) out.bounds[i] = midpoint(code[out.order[i]], code[out.order[i + 1]]);
  return out;
}

}  // namespace
}  // namespace hb
