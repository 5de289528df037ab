// Packing of 4-bit weights into panels.
#include "packed_4bit.h"

#include <cstring>

namespace hb {
namespace {

struct Source {
  const uint8_t *codes;
  const float *absmax;
};

// What a row does not touch stays 0.
void pack_absmax(const PackedLayout &layout, const float *absmax, uint64_t first_row, uint64_t rows, uint64_t block, char *to) {
  for (uint64_t row = first_row; row < first_row + rows; row++) {
    const uint64_t index = row * layout.k / layout.block_size + block;
    const uint64_t last = (row * layout.k + layout.k - 1) / layout.block_size;
    if (index <= last) std::memcpy(to + (row - first_row) * sizeof(float), absmax + index, sizeof(float));
  }
}

void pack_columns(const PackedLayout &layout, const uint8_t *codes, uint64_t first_row, uint64_t rows, uint64_t column, char *to) {
  const uint8_t *from = codes + (first_row * layout.k + column) / 2;
  for (uint64_t row = 0; row < rows; row++, from += layout.k / 2) std::memcpy(to + row * 4, from, 4);
}

void pack_panel(const PackedLayout &layout, const Source &source, uint64_t panel, char *to) {
  const uint64_t first_row = panel * panel_rows, rows = layout.n - first_row < panel_rows ? layout.n - first_row : panel_rows;
  if (rows < panel_rows || layout.straddles()) std::memset(to, 0, layout.panel_bytes());
  for (uint64_t block = 0; block < layout.blocks(); block++) {
    pack_absmax(layout, source.absmax, first_row, rows, block, to);
    to += panel_line;
    const uint64_t begin = block * layout.block_size, end = begin + layout.block_size;
    for (uint64_t column = begin; column < end && column < layout.k; column += column_group, to += panel_line)
      pack_columns(layout, source.codes, first_row, rows, column, to);
  }
}

}  // namespace

void pack_4bit(const uint8_t *codes, const float *absmax, uint64_t n, uint64_t k, uint32_t block_size, uint64_t begin, uint64_t end, void *packed) {
  const PackedLayout layout{n, k, block_size};
  for (uint64_t panel = begin; panel < end; panel++)
    pack_panel(layout, {codes, absmax}, panel, static_cast<char *>(packed) + panel * layout.panel_bytes());
}

}  // namespace hb
