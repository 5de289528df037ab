// The packed layout of a 4-bit weight: panels of 64 rows, so that a vector register holds one column of many rows and a product needs no sum across lanes.
//
// A panel is one stream. It holds block after block of k: first 64 f32, the absmax of each row, then for every 8 columns 64 dwords, the four bytes of each
// row as bitsandbytes stores them. Nothing is converted, so what was packed can be unpacked. Rows beyond the last are zero.
//
// Blocks count over the flat weight. When k is no multiple of the block size a row begins inside a block, and every row has its own boundaries: the absmax
// of block b in a panel belongs to the b-th block that a row touches, and columns from the row's boundary on take the one of block b + 1. Boundaries
// fall on multiples of a piece, which is the unit of all products: no row changes its absmax inside one.
#pragma once
#include <cstdint>

namespace hb {

// Panels [begin, end) of a weight. Only byte moves.
void pack_4bit(const uint8_t *codes, const float *absmax, uint64_t n, uint64_t k, uint32_t block_size, uint64_t begin, uint64_t end, void *packed);

// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

constexpr uint64_t panel_rows = 64;
constexpr uint64_t column_group = 8;
constexpr uint64_t largest_piece = 64, largest_block = 4096;
// One dword per row: the codes of a group of columns, or one absmax each.
constexpr uint64_t panel_line = panel_rows * 4;

constexpr uint64_t greatest_common_divisor(uint64_t a, uint64_t b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

// Where things are in the packed form of a weight.
struct PackedLayout {
  uint64_t n, k, block_size;

  // Other weights stay as they are: a group of columns would end inside a byte or a row, or a block inside a group.
  bool possible() const {
    return n > 0 && k > 0 && k % column_group == 0 && block_size > 0 && block_size <= largest_block && block_size % column_group == 0;
  }
  bool straddles() const { return k % block_size != 0; }
  uint64_t panels() const { return (n + panel_rows - 1) / panel_rows; }
  uint64_t blocks() const { return (k + block_size - 1) / block_size + (straddles() ? 1 : 0); }
  uint64_t block_bytes() const { return panel_line + block_size / column_group * panel_line; }
  uint64_t panel_bytes() const { return (blocks() + k / column_group) * panel_line; }
  uint64_t bytes() const { return panels() * panel_bytes(); }
  // Columns between two possible changes of absmax, at most 64. A divisor of k.
  uint64_t piece() const { return greatest_common_divisor(greatest_common_divisor(largest_piece, block_size), k); }
};

}  // namespace
}  // namespace hb
