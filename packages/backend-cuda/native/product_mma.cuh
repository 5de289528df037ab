// Products of 16-bit matrices on tensor cores: a thread block computes a tile of the result from slices of both operands that lie in shared memory
// as they lie in device memory, 32 steps of the sum deep, four of them on their way at a time.
//
// Eight warps, two along the rows and four along the columns of the tile. Pieces of 16 bytes are moved around within their line (swizzled), so that
// ldmatrix, which reads eight lines at a time, finds them in different banks.
#pragma once
#include "async_copy.cuh"
#include "mma.cuh"
#include "operands.cuh"
#include "tile_grid.cuh"

namespace hb {

constexpr uint32_t kMmaThreads = 256, kMmaStages = 4, kMmaDepth = 32;
// Elements in 16 bytes.
constexpr uint32_t kMmaPiece = 8;

// Lines along the sum, 64 bytes of each: x, and the weight when the sum goes along its rows.
template <uint32_t kLines>
struct MmaLines {
  static constexpr uint32_t kPieces = kMmaDepth / kMmaPiece, kBytes = kLines * kMmaDepth * sizeof(uint16_t);

  static __device__ char *at(char *slice, uint32_t line, uint32_t piece) {
    return slice + (line * kPieces + (piece ^ (line / 2 % kPieces))) * sizeof(uint4);
  }
  // Lines from `first` on, elements from k on; zeros beyond the end of either.
  static __device__ void copy(const Matrix &from, uint64_t first, uint64_t k, char *slice) {
    const auto *data = static_cast<const uint16_t *>(from.elements.data);
    HB_UNROLL for (uint32_t i = threadIdx.x; i < kLines * kPieces; i += kMmaThreads) {
      const uint32_t line = i / kPieces, piece = i % kPieces;
      const uint64_t row = first + line, column = k + piece * kMmaPiece;
      copy_async(at(slice, line, piece), data + row * from.inner + column, row < from.rows && column < from.inner);
    }
  }
  // Of 16 lines of A from `line` on: rows g and g + 8, words t and t + 4.
  static __device__ void load_a(char *slice, uint32_t line, uint32_t piece, uint32_t (&words)[4]) {
    const uint32_t lane = threadIdx.x % 32;
    load_matrices(words, at(slice, line + lane % 16, piece + lane / 16));
  }
  // Of 16 columns of B: words t and t + 4 of the first eight, then of the others.
  static __device__ void load_b(char *slice, uint32_t column, uint32_t depth, uint32_t (&words)[4]) {
    const uint32_t lane = threadIdx.x % 32;
    load_matrices(words, at(slice, column + lane / 16 * 8 + lane % 8, depth / kMmaPiece + lane / 8 % 2));
  }
};

// Rows across the sum: the weight when the sum goes down its columns.
template <uint32_t kColumns>
struct MmaColumns {
  static constexpr uint32_t kPieces = kColumns / kMmaPiece, kBytes = kColumns * kMmaDepth * sizeof(uint16_t);

  static __device__ char *at(char *slice, uint32_t depth, uint32_t piece) {
    return slice + (depth * kPieces + (piece ^ depth % 8)) * sizeof(uint4);
  }
  static __device__ void copy(const Matrix &from, uint64_t first, uint64_t k, char *slice) {
    const auto *data = static_cast<const uint16_t *>(from.elements.data);
    HB_UNROLL for (uint32_t i = threadIdx.x; i < kMmaDepth * kPieces; i += kMmaThreads) {
      const uint32_t depth = i / kPieces, piece = i % kPieces;
      const uint64_t row = k + depth, column = first + piece * kMmaPiece;
      copy_async(at(slice, depth, piece), data + row * from.inner + column, row < from.rows && column < from.inner);
    }
  }
  // Each matrix transposed: what comes is what load_b() of lines gives.
  static __device__ void load_b(char *slice, uint32_t column, uint32_t depth, uint32_t (&words)[4]) {
    const uint32_t lane = threadIdx.x % 32;
    load_matrices_transposed(words, at(slice, depth + lane % 16, column / kMmaPiece + lane / 16));
  }
};

// kM by kN products to a warp, of 16 rows and 8 columns each.
template <uint32_t kM, uint32_t kN>
struct MmaShape {
  static constexpr uint32_t kRows = 2 * 16 * kM, kColumns = 4 * 8 * kN;
};

struct MmaTask {
  Matrix x, weight;
  Result result;
};

template <class Mma, class Element, template <uint32_t> class Weight, uint32_t kM, uint32_t kN>
struct MmaTile {
  using Shape = MmaShape<kM, kN>;
  using A = MmaLines<Shape::kRows>;
  using B = Weight<Shape::kColumns>;
  static constexpr uint32_t kStageBytes = A::kBytes + B::kBytes, kSharedBytes = kMmaStages * kStageBytes;

  const MmaTask &task;
  char *shared;
  uint64_t first_row, first_column;
  // Of this warp in the tile.
  uint32_t row, column;

  __device__ char *stage(uint64_t turn) const { return shared + turn % kMmaStages * kStageBytes; }

  // A group even where nothing is left to copy: groups are counted.
  __device__ void copy(uint64_t turn) const {
    const uint64_t k = turn * kMmaDepth;
    if (k < task.x.inner) {
      A::copy(task.x, first_row, k, stage(turn));
      B::copy(task.weight, first_column, k, stage(turn) + A::kBytes);
    }
    end_copy_group();
  }

  __device__ void multiply(char *stage, float (&sums)[kM][kN][4]) const {
    HB_UNROLL for (uint32_t depth = 0; depth < kMmaDepth; depth += 16) {
      uint32_t a[kM][4], b[kN][2];
      HB_UNROLL for (uint32_t i = 0; i < kM; i++) A::load_a(stage, row + 16 * i, depth / kMmaPiece, a[i]);
      HB_UNROLL for (uint32_t j = 0; j < kN; j += 2) {
        uint32_t words[4];
        B::load_b(stage + A::kBytes, column + 8 * j, depth, words);
        b[j][0] = words[0];
        b[j][1] = words[1];
        b[j + 1][0] = words[2];
        b[j + 1][1] = words[3];
      }
      HB_UNROLL for (uint32_t i = 0; i < kM; i++) {
        HB_UNROLL for (uint32_t j = 0; j < kN; j++) Mma::multiply(sums[i][j], a[i], b[j]);
      }
    }
  }

  __device__ void run(float (&sums)[kM][kN][4]) const {
    const uint64_t turns = (task.x.inner + kMmaDepth - 1) / kMmaDepth;
    for (uint32_t turn = 0; turn < kMmaStages - 1; turn++) copy(turn);
    HB_UNROLL_BY(1) for (uint64_t turn = 0; turn < turns; turn++) {
      await_copies<kMmaStages - 2>();
      // Now this turn's slices are here, and nobody reads those of the turn before any more.
      __syncthreads();
      copy(turn + kMmaStages - 1);
      multiply(stage(turn), sums);
    }
    await_copies<0>();
    // Before the next tile's slices come there.
    __syncthreads();
  }

  // By way of shared memory, 16 rows of each warp at a time: so neighbours write to neighbours, and what happens to a number is said once. Lane
  // 4g + t holds columns 2t and 2t + 1 of rows g and g + 8.
  __device__ void put(const float (&sums)[kM][kN][4]) const {
    const uint32_t lane = threadIdx.x % 32, above = row / (16 * kM) * 16;
    float *const numbers = reinterpret_cast<float *>(shared);
    HB_UNROLL_BY(1) for (uint32_t turn = 0; turn < kM; turn++) {
      float *const to = numbers + (above + lane / 4) * kPitch + column + lane % 4 * 2;
      HB_UNROLL for (uint32_t i = 0; i < kM; i++) {
        if (i != turn) continue;
        HB_UNROLL for (uint32_t j = 0; j < kN; j++) {
          put_two(to + 8 * j, sums[i][j][0], sums[i][j][1]);
          put_two(to + 8 * j + 8 * kPitch, sums[i][j][2], sums[i][j][3]);
        }
      }
      __syncthreads();
      HB_UNROLL_BY(1) for (uint32_t i = threadIdx.x; i < 32 * Shape::kColumns / 2; i += kMmaThreads) {
        const uint32_t from_row = i / (Shape::kColumns / 2), from_column = i % (Shape::kColumns / 2) * 2;
        const float *const from = numbers + from_row * kPitch + from_column;
        store(first_row + from_row / 16 * 16 * kM + 16 * turn + from_row % 16, first_column + from_column, from[0], from[1]);
      }
      // Before others come there.
      __syncthreads();
    }
  }

 private:
  // Of 32 rows of f32 on their way out; eight more than there are, so that the rows of a warp begin in different banks.
  static constexpr uint32_t kPitch = Shape::kColumns + 8;
  static_assert(32 * kPitch * sizeof(float) <= kSharedBytes, "the sums take the place of the slices");

  static __device__ void put_two(float *to, float first, float second) {
    *reinterpret_cast<uint2 *>(to) = {__float_as_uint(first), __float_as_uint(second)};
  }

  // `at` is even.
  __device__ void store(uint64_t to, uint64_t at, float first, float second) const {
    const Result &result = task.result;
    if (to >= result.rows || at >= result.columns) return;
    const bool has_second = at + 1 < result.columns;
    if (result.bias.data) {
      first = __fadd_rn(first, result.bias.at(at));
      if (has_second) second = __fadd_rn(second, result.bias.at(at + 1));
    }
    auto *const out = static_cast<uint16_t *>(result.out.data) + to * result.columns + at;
    if (result.columns % 2 == 0) {
      *reinterpret_cast<uint32_t *>(out) = Element::narrow(first) | static_cast<uint32_t>(Element::narrow(second)) << 16;
      return;
    }
    out[0] = Element::narrow(first);
    if (has_second) out[1] = Element::narrow(second);
  }
};

template <class Mma, class Element, template <uint32_t> class Weight, uint32_t kM, uint32_t kN>
__global__ void __launch_bounds__(kMmaThreads) product_mma(MmaTask task, TileGrid grid) {
  if constexpr (kCompiledCapability >= Mma::kCapability) {
    using Tile = MmaTile<Mma, Element, Weight, kM, kN>;
    using Shape = typename Tile::Shape;
    HB_DYNAMIC_SHARED(shared);
    const uint32_t warp = threadIdx.x / 32;
    for (uint64_t at = blockIdx.x; at < grid.tiles(); at += gridDim.x) {
      const uint64_t first_row = grid.row_of(at) * Shape::kRows, first_column = grid.column_of(at) * Shape::kColumns;
      const Tile tile = {task, shared, first_row, first_column, warp % 2 * 16 * kM, warp / 2 * 8 * kN};
      float sums[kM][kN][4];
      HB_UNROLL for (uint32_t i = 0; i < kM * kN * 4; i++) sums[i / 4 / kN][i / 4 % kN][i % 4] = 0;
      tile.run(sums);
      tile.put(sums);
    }
  }
}

}  // namespace hb
