// Derived tables of formats and maps; once per call, so plainness counts more than speed.
#include "tables.h"

#include <cstring>

namespace hb {

Map8 make_map8(const float *code) {
  Map8 out;
  std::memcpy(out.code, code, sizeof out.code);
  for (int i = 0; i < 255; i++) out.bounds[i] = midpoint(code[i], code[i + 1]);
  return out;
}

}  // namespace hb
