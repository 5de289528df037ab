// Tensor cores, played: every lane of a warp shows its registers, and each computes its own part of the result from all of them.
//
// Where an element of a tile lies is said here once more, element by element as the PTX manual says it, so that mma.cuh's layout in words is
// checked against something.
#pragma once
#include <cstdint>
#include <cstring>

#include "kernel_language.h"

namespace hb::emulation {

// The elements of a register, and a product in the type of the sums.
struct Float16Pair {
  using Sum = float;
  static constexpr uint32_t kElements = 2;
  static float element(uint32_t word, uint32_t i) { return widen_float16(static_cast<uint16_t>(word >> 16 * i)); }
};
struct Bfloat16Pair {
  using Sum = float;
  static constexpr uint32_t kElements = 2;
  static float element(uint32_t word, uint32_t i) { return widen_bfloat16(static_cast<uint16_t>(word >> 16 * i)); }
};
struct Int8Quad {
  using Sum = int32_t;
  static constexpr uint32_t kElements = 4;
  static int32_t element(uint32_t word, uint32_t i) { return static_cast<int8_t>(word >> 8 * i); }
};

inline float sum_of(float a, float b) { return a + b; }
// Integers wrap.
inline int32_t sum_of(int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); }

// What a lane shows the others: registers, or an address.
struct Shown {
  uint32_t a[4], b[2];
  const void *address;
};

// One after the other in two places: who shows something new has seen that everybody read what was there before.
class WarpBoard {
 public:
  // Shows and waits for the others; returns what all lanes show.
  static const Shown *show(const Shown &mine) {
    static thread_local Shown boards[2][32][kWarp];
    static thread_local uint8_t turns[32][kWarp];
    const uint32_t warp = Block::current->warp(), at = lane();
    Shown *board = boards[turns[warp][at]++ % 2][warp];
    board[at] = mine;
    meet(Meeting::warp, ~0u);
    return board;
  }
};

// Row and column of element i of a lane in the operands and the result, i counted through its registers.
template <class Elements>
struct Layout {
  static constexpr uint32_t kEach = Elements::kElements;
  static uint32_t group(uint32_t lane) { return lane >> 2; }
  static uint32_t thread_in_group(uint32_t lane) { return lane % 4; }

  static uint32_t row_of_a(uint32_t lane, uint32_t i) { return (i / kEach) % 2 == 0 ? group(lane) : group(lane) + 8; }
  static uint32_t column_of_a(uint32_t lane, uint32_t i) {
    return thread_in_group(lane) * kEach + i % kEach + (i < 2 * kEach ? 0 : 4 * kEach);
  }
  static uint32_t row_of_b(uint32_t lane, uint32_t i) { return thread_in_group(lane) * kEach + i % kEach + (i < kEach ? 0 : 4 * kEach); }
  static uint32_t column_of_b(uint32_t lane, uint32_t) { return group(lane); }
  static uint32_t row_of_c(uint32_t lane, uint32_t i) { return i < 2 ? group(lane) : group(lane) + 8; }
  static uint32_t column_of_c(uint32_t lane, uint32_t i) { return thread_in_group(lane) * 2 + i % 2; }
};

// C[16, 8] += A[16, k]·B[k, 8].
template <class Elements>
void mma(typename Elements::Sum (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  using L = Layout<Elements>;
  using Sum = typename Elements::Sum;
  constexpr uint32_t depth = 8 * Elements::kElements;
  Shown mine = {};
  std::memcpy(mine.a, a, sizeof a);
  std::memcpy(mine.b, b, sizeof b);
  const Shown *lanes = WarpBoard::show(mine);
  Sum wide_a[16][depth], wide_b[depth][8];
  for (uint32_t lane = 0; lane < kWarp; lane++) {
    for (uint32_t i = 0; i < 4 * Elements::kElements; i++)
      wide_a[L::row_of_a(lane, i)][L::column_of_a(lane, i)] = Elements::element(lanes[lane].a[i / Elements::kElements], i % Elements::kElements);
    for (uint32_t i = 0; i < 2 * Elements::kElements; i++)
      wide_b[L::row_of_b(lane, i)][L::column_of_b(lane, i)] = Elements::element(lanes[lane].b[i / Elements::kElements], i % Elements::kElements);
  }
  for (uint32_t i = 0; i < 4; i++)
    for (uint32_t k = 0; k < depth; k++) c[i] = sum_of(c[i], wide_a[L::row_of_c(lane(), i)][k] * wide_b[k][L::column_of_c(lane(), i)]);
}

inline void load_matrices(uint32_t (&words)[4], const void *row, bool transposed) {
  Shown mine = {};
  mine.address = row;
  const Shown *lanes = WarpBoard::show(mine);
  const uint32_t g = lane() / 4, t = lane() % 4;
  const auto element = [&](uint32_t matrix, uint32_t row, uint32_t column) {
    return static_cast<const uint16_t *>(lanes[8 * matrix + row].address)[column];
  };
  for (uint32_t matrix = 0; matrix < 4; matrix++) {
    const uint32_t low = transposed ? element(matrix, 2 * t, g) : element(matrix, g, 2 * t);
    const uint32_t high = transposed ? element(matrix, 2 * t + 1, g) : element(matrix, g, 2 * t + 1);
    words[matrix] = low | high << 16;
  }
}

}  // namespace hb::emulation
