// A few rows of x times a weight, so few that reading the weight is the work: a warp goes along four rows of it, its lanes along K, the weight
// 16 bytes at a time from memory, x as f32 from shared memory.
//
// Several warps of a thread block may share a row (slices); their sums are added in a fixed order.
#pragma once
#include "operands.cuh"
#include "tile_grid.cuh"

namespace hb {

constexpr uint32_t kRowsThreads = 256, kRowsWarps = kRowsThreads / 32;
// Rows of the weight that a warp goes along: each number of x that it reads is used as often.
constexpr uint32_t kRowsColumns = 4;

// How many slices a row of the weight may have: x of all of them is in shared memory.
__host__ __device__ constexpr uint32_t most_slices(uint32_t rows) { return rows < 4 ? 4 / rows : 1; }

// After 32 numbers four are left out: then eight lanes that read 16 bytes each, 8 or 32 numbers apart, read from different banks.
__host__ __device__ constexpr uint32_t padded_index(uint32_t i) { return i + i / 32 * 4; }

// A weight has kPiece, what a lane takes at once, and Piece, that in registers; fetch() reads one, quad() decodes four numbers of it, scale() is
// what their products are multiplied with.
template <class Weight>
struct RowsTask {
  Matrix x;
  Weight weight;
  Result result;
  uint32_t slices;

  static constexpr uint32_t kStep = 32 * Weight::kPiece;
  // What the thread block computes at once.
  __host__ __device__ uint32_t columns() const { return kRowsWarps / slices * kRowsColumns; }
};

template <class Weight, uint32_t kRows>
struct RowsProduct {
  using Task = RowsTask<Weight>;
  // Of one row of x and one slice, in shared memory.
  static constexpr uint32_t kPitch = padded_index(Task::kStep);
  using Pieces = typename Weight::Piece[kRowsColumns];

  const Task &task;
  const float *table;
  float *staged;
  uint32_t slice, lane;

  __device__ void fetch(uint64_t column, uint64_t k, Pieces &pieces) const {
    if (k >= task.x.inner) return;
    for (uint32_t c = 0; c < kRowsColumns; c++) pieces[c] = task.weight.fetch(min(column + c, task.result.columns - 1), k);
  }

  // x from `begin` on, for all slices.
  __device__ void stage(uint64_t row, uint64_t begin) const {
    constexpr uint32_t kQuads = Task::kStep / 4;
    HB_UNROLL_BY(1) for (uint32_t i = threadIdx.x; i < task.slices * kQuads; i += kRowsThreads) {
      const uint64_t k = begin + 4 * i;
      if (k >= task.x.inner) break;
      uint4 fetched[kRows];
      HB_UNROLL for (uint32_t r = 0; r < kRows; r++) fetched[r] = task.x.fetch_whole(row + r, k);
      float *const to = staged + i / kQuads * kRows * kPitch + padded_index(i % kQuads * 4);
      HB_UNROLL for (uint32_t r = 0; r < kRows; r++) put_quad(to + r * kPitch, task.x.elements.widened(fetched[r]));
    }
  }

  __device__ void multiply(const Pieces &pieces, float (&total)[kRows][kRowsColumns]) const {
    float part[kRows][kRowsColumns];
    HB_UNROLL for (uint32_t r = 0; r < kRows; r++) {
      HB_UNROLL for (uint32_t c = 0; c < kRowsColumns; c++) part[r][c] = 0;
    }
    const float *const mine = staged + slice * kRows * kPitch + padded_index(lane * Weight::kPiece);
    HB_UNROLL for (uint32_t quad = 0; quad < Weight::kPiece / 4; quad++) {
      Quad weights[kRowsColumns];
      HB_UNROLL for (uint32_t c = 0; c < kRowsColumns; c++) weights[c] = Weight::quad(pieces[c], quad, table);
      HB_UNROLL for (uint32_t r = 0; r < kRows; r++) {
        const Quad x = quad_at(mine + r * kPitch + quad * 4);
        HB_UNROLL for (uint32_t i = 0; i < 4; i++) {
          HB_UNROLL for (uint32_t c = 0; c < kRowsColumns; c++) part[r][c] = __fmaf_rn(x.values[i], weights[c].values[i], part[r][c]);
        }
      }
    }
    HB_UNROLL for (uint32_t r = 0; r < kRows; r++) {
      HB_UNROLL for (uint32_t c = 0; c < kRowsColumns; c++) total[r][c] = __fmaf_rn(part[r][c], Weight::scale(pieces[c]), total[r][c]);
    }
  }

  // The sums of this warp's slice of K, in each lane.
  __device__ void run(uint64_t row, uint64_t column, float (&total)[kRows][kRowsColumns]) const {
    const uint64_t inner = task.x.inner, stride = uint64_t{task.slices} * Task::kStep;
    const uint64_t mine = uint64_t{slice} * Task::kStep + lane * Weight::kPiece;
    Pieces pieces, next;
    // A turn fetches the weight for the turn after it.
    HB_UNROLL_BY(1) for (uint64_t begin = 0;; begin += stride) {
      if (begin > 0) {
        // What is there was read.
        __syncthreads();
        stage(row, begin - stride);
        __syncthreads();
      }
      if (begin < inner) fetch(column, begin + mine, next);
      if (begin > 0 && begin - stride + mine < inner) multiply(pieces, total);
      if (begin >= inner) return;
      HB_UNROLL for (uint32_t c = 0; c < kRowsColumns; c++) pieces[c] = next[c];
    }
  }
};

template <class Weight, uint32_t kRows>
__global__ void __launch_bounds__(kRowsThreads, kRows > 2 ? 1 : 2) f32_rows(RowsTask<Weight> task, TileGrid grid) {
  using Product = RowsProduct<Weight, kRows>;
  constexpr uint32_t kSums = kRows * kRowsColumns;
  __shared__ float table[16];
  // Of uint4, for its alignment.
  __shared__ uint4 staged[most_slices(kRows) * kRows * Product::kPitch / 4];
  __shared__ float sums[kRowsWarps][kSums];
  task.weight.load_table(table);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, slice = warp % task.slices;
  const Product product = {task, table, reinterpret_cast<float *>(staged), slice, lane};
  for (uint64_t tile = blockIdx.x; tile < grid.tiles(); tile += gridDim.x) {
    const uint64_t row = grid.row_of(tile) * kRows, column = grid.column_of(tile) * task.columns() + warp / task.slices * kRowsColumns;
    float total[kRows][kRowsColumns];
    HB_UNROLL for (uint32_t i = 0; i < kSums; i++) total[i / kRowsColumns][i % kRowsColumns] = 0;
    product.run(row, column, total);
    HB_UNROLL for (uint32_t i = 0; i < kSums; i++) {
      const float sum = sum_of_warp(total[i / kRowsColumns][i % kRowsColumns]);
      if (lane == i) sums[warp][i] = sum;
    }
    __syncthreads();
    if (slice > 0 || lane >= kSums) continue;
    float sum = sums[warp][lane];
    HB_UNROLL_BY(1) for (uint32_t s = 1; s < task.slices; s++) sum = __fadd_rn(sum, sums[warp + s][lane]);
    task.result.put(row + lane / kRowsColumns, column + lane % kRowsColumns, sum);
  }
}

}  // namespace hb
