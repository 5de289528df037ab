// Derived tables of formats and maps; once per call, so plainness counts more than speed.
#include "tables.h"

#include <cstring>

namespace hb {

namespace {

float midpoint(float a, float b) { return (a + b) * 0.5f; }

}  // namespace

Format4 make_format4(const float *code, hb_format format) {
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

Map8 make_map8(const float *code) {
  Map8 out;
  std::memcpy(out.code, code, sizeof out.code);
  for (int i = 0; i < 255; i++) out.bounds[i] = midpoint(code[i], code[i + 1]);
  return out;
}

}  // namespace hb
