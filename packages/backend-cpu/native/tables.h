// From a table of values to the decisions of a kernel: value order and midpoints (core/src/formats/codebook.ts).
#pragma once
#include "kernels.h"

namespace hb {

// `code` is sorted ascending.
Map8 make_map8(const float *code);

}  // namespace hb
