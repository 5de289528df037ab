// Weights of the integer product, repacked once so that every kernel reads one stream: panels of 64 rows; in a panel, for every 4 columns k, the 4 bytes of
// each row. A last panel has as many rows as there are, rounded up to 16. k is rounded up to 4.
//
// Bytes are value + 128: vpdpbusd wants one unsigned operand, and it is the weight, so that activations are read as they are. 128·Σa comes off the
// products. In the padding stands 128, the byte of 0; kernels put 0 opposite it.
#pragma once
#include <string.h>

#include "kernels.h"

namespace hb {
namespace {

struct PackedInt8 {
  static constexpr uint64_t panel_rows = 64, row_step = 16, group = 4;

  uint64_t n, k;

  uint64_t groups() const { return (k + group - 1) / group; }
  uint64_t panels() const { return (n + panel_rows - 1) / panel_rows; }
  /// Rows of a panel, with those that pad it.
  uint64_t width(uint64_t panel) const {
    const uint64_t rows = n - panel * panel_rows;
    return rows >= panel_rows ? panel_rows : (rows + row_step - 1) / row_step * row_step;
  }
  uint64_t offset(uint64_t panel) const { return panel * panel_rows * groups() * group; }
  uint64_t bytes() const { return (n + row_step - 1) / row_step * row_step * groups() * group; }
};

/// Panels [begin, end) of a weight [n, k].
inline void pack_int8(const int8_t *weight, const PackedInt8 &shape, uint64_t begin, uint64_t end, uint8_t *packed) {
  constexpr uint64_t group = PackedInt8::group;
  for (uint64_t panel = begin; panel < end; panel++) {
    const uint64_t width = shape.width(panel), first = panel * PackedInt8::panel_rows;
    uint8_t *const to = packed + shape.offset(panel);
    memset(to, 128, width * shape.groups() * group);
    for (uint64_t row = 0; row < width && first + row < shape.n; row++) {
      const int8_t *const from = weight + (first + row) * shape.k;
      for (uint64_t i = 0; i < shape.k; i++) to[(i / group * width + row) * group + i % group] = uint8_t(from[i]) ^ 128;
    }
  }
}

}  // namespace
}  // namespace hb
