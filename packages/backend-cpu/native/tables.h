// From a table of values to the decisions of a kernel: value order and midpoints (core/src/formats/codebook.ts).
#pragma once
#include "kernels.h"

namespace hb {

// Entries of equal value keep their code order, which is how FP4's code 8 catches the smallest positive values.
Format4 make_format4(const float *code, hb_format format);
// `code` is sorted ascending.
Map8 make_map8(const float *code);

}  // namespace hb
