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

/// The panel of `rows` rows of `count` columns, `k` of a row in memory.
inline void pack_panel(const int8_t *weight, uint64_t k, uint64_t rows, uint64_t width, uint64_t count, uint8_t *to) {
  constexpr uint64_t group = PackedInt8::group;
  // Nothing may stand at null.
  if (count == 0) return;
  memset(to, 128, (count + group - 1) / group * group * width);
  for (uint64_t row = 0; row < rows; row++)
    for (uint64_t i = 0; i < count; i++) to[(i / group * width + row) * group + i % group] = uint8_t(weight[row * k + i]) ^ 128;
}

/// Panels [begin, end) of a weight [n, k].
inline void pack_int8(const int8_t *weight, const PackedInt8 &shape, uint64_t begin, uint64_t end, uint8_t *packed) {
  for (uint64_t panel = begin; panel < end; panel++) {
    const uint64_t first = panel * PackedInt8::panel_rows, width = shape.width(panel), rows = shape.n - first < width ? shape.n - first : width;
    pack_panel(weight + first * shape.k, shape.k, rows, width, shape.k, packed + shape.offset(panel));
  }
}

}  // namespace
}  // namespace hb
