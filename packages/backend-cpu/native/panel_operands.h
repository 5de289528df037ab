// What packed products read (panel_product.h): groups of prepared rows of x, and panels of the weight piece by piece.
#pragma once
#include "activations.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

struct PackedWeight {
  const uint8_t *packed;
  PackedLayout layout;
};

// A group of rows of prepared activations.
struct Group {
  const char *values;
  const float *scales;
  const int32_t *corrections;

  template <class Arithmetic>
  static Group at(const ActivationLayout &layout, const char *prepared, uint64_t first_row) {
    Group group{prepared + ActivationLayout::values_at + first_row * layout.k / column_group * Arithmetic::group_bytes, nullptr, nullptr};
    if constexpr (Arithmetic::scaled) group.scales = reinterpret_cast<const float *>(prepared + layout.scales_at()) + first_row * layout.pieces();
    if constexpr (Arithmetic::corrected)
      group.corrections = reinterpret_cast<const int32_t *>(prepared + layout.corrections_at()) + first_row * layout.pieces();
    return group;
  }
  // The same group `pieces` pieces of `groups` groups of columns later.
  template <class Arithmetic>
  Group after(uint64_t pieces, uint64_t groups, uint64_t rows) const {
    Group later{values + pieces * groups * rows * Arithmetic::group_bytes, nullptr, nullptr};
    if constexpr (Arithmetic::scaled) later.scales = scales + pieces * rows;
    if constexpr (Arithmetic::corrected) later.corrections = corrections + pieces * rows;
    return later;
  }
};

// Which rows of a panel are behind their own block boundary, for each piece of a block: they take the absmax of the next block.
class Boundaries {
 public:
  explicit Boundaries(const PackedLayout &layout) : layout_(layout), piece_(layout.piece()) { std::memset(behind_, 0, sizeof behind_); }

  void enter(uint64_t panel) {
    if (!layout_.straddles()) return;
    const uint64_t pieces = layout_.block_size / piece_, step = layout_.k % layout_.block_size;
    std::memset(behind_, 0, pieces * sizeof behind_[0]);
    uint64_t offset = panel * panel_rows % layout_.block_size * step % layout_.block_size;
    for (uint64_t row = 0; row < panel_rows; row++) {
      if (offset > 0) behind_[(layout_.block_size - offset) / piece_] |= uint64_t{1} << row;
      offset += step;
      if (offset >= layout_.block_size) offset -= layout_.block_size;
    }
    for (uint64_t i = 1; i < pieces; i++) behind_[i] |= behind_[i - 1];
  }
  uint64_t behind(uint64_t piece_of_block) const { return behind_[piece_of_block]; }

 private:
  static constexpr uint64_t most_pieces = largest_block / column_group;
  const PackedLayout layout_;
  const uint64_t piece_;
  uint64_t behind_[most_pieces];
};

// Walks a panel piece by piece.
class Pieces {
 public:
  Pieces(const PackedLayout &layout, const Boundaries &boundaries, const uint8_t *panel)
      : boundaries_(&boundaries), at_(panel), groups_left_(layout.k / column_group), groups_of_block_(layout.block_size / column_group),
        groups_(layout.piece() / column_group), straddles_(layout.straddles()) {
    enter_block();
  }

  uint64_t groups() const { return groups_; }
  const uint8_t *codes() const { return at_; }
  // Of the rows from `column` on: one register.
  template <class Arithmetic>
  [[gnu::always_inline]] auto absmax(uint64_t column) const {
    return Arithmetic::absmax(absmax_ + column, next_absmax_ + column, boundaries_->behind(index_) >> column);
  }
  // False after the last piece.
  bool advance() {
    at_ += groups_ * panel_line;
    groups_left_ -= groups_;
    index_++;
    if (groups_left_ == 0) return false;
    if (at_ == block_end_) enter_block();
    return true;
  }

 private:
  void enter_block() {
    absmax_ = reinterpret_cast<const float *>(at_);
    at_ += panel_line;
    const uint64_t groups = groups_left_ < groups_of_block_ ? groups_left_ : groups_of_block_;
    block_end_ = at_ + groups * panel_line;
    // A stream of whole blocks ends here: its last block has no next.
    next_absmax_ = straddles_ ? reinterpret_cast<const float *>(block_end_) : absmax_;
    index_ = 0;
  }

  const Boundaries *boundaries_;
  const uint8_t *at_, *block_end_;
  const float *absmax_, *next_absmax_;
  uint64_t groups_left_, groups_of_block_, groups_, index_ = 0;
  bool straddles_;
};

}  // namespace
}  // namespace hb
