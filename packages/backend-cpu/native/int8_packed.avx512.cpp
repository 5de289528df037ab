// The integer product with a repacked weight (packed_int8.h).
#include "int8_product_avx512.h"

namespace hb::avx512 {
namespace {

/// Rows of a whose sums are kept at a time.
constexpr uint64_t band_rows = 1024;
/// Columns of one pass over a panel: 512 KiB of it, half of L2.
constexpr uint64_t pass_columns = 8192;

}  // namespace

void int8_matmul_packed(const int8_t *a, const uint8_t *packed, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, int32_t *out,
                        uint64_t stride) {
  const PackedInt8 shape{n, k};
  int32_t starts[band_rows];
  for (uint64_t row = 0; row < m; row += band_rows) {
    const uint64_t rows = m - row < band_rows ? m - row : band_rows;
    for (uint64_t i = 0; i < rows; i++) starts[i] = start_of(a + (row + i) * k, k);
    for (uint64_t column = begin; column < end; column += PackedInt8::panel_rows) {
      const uint64_t panel = column / PackedInt8::panel_rows, width = shape.width(panel), wanted = n - column < width ? n - column : width;
      const Sums sums{out + row * stride + (column - begin), stride, first_lanes(wanted - (width - 16))};
      const uint8_t *const b = packed + shape.offset(panel);
      for (uint64_t first = 0; first < k || first == 0; first += pass_columns) {
        const uint64_t count = k - first < pass_columns ? k - first : pass_columns;
        multiply_panel({a + row * k + first, k, b + first * width, count}, width, rows, sums, starts, first == 0);
      }
    }
  }
}

}  // namespace hb::avx512
