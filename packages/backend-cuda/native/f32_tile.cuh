// Many rows of x times a weight: a thread block computes a tile of the result, each thread 64 or 16 numbers of it in registers, from slices of
// both operands that lie in shared memory as f32.
//
// After 64 products a sum begins anew, and the sums of them are added up apart: so the result keeps within its bound (4·√k·2⁻²⁴ of the sum of the
// magnitudes) even where each rounding errs to the same side.
#pragma once
#include "operands.cuh"
#include "tile_grid.cuh"

namespace hb {

constexpr uint32_t kTileThreads = 128, kTileDepth = 16, kTileChunk = 64;

// kSide · kSide numbers to a thread, the threads in 8 rows of 16.
template <uint32_t kSide>
struct TileShape {
  static constexpr uint32_t kRows = 8 * kSide, kColumns = 16 * kSide;
};

// Of an operand, in shared memory.
template <uint32_t kLines>
struct alignas(16) Slice {
  // Four more than there are, which keeps 16 bytes aligned.
  float numbers[kTileDepth][kLines + 4];
};

// Lines of a matrix along the direction of the sum, kNumbers of each to a thread; shared memory has them line beside line.
template <uint32_t kLines>
struct LineLoader {
  static constexpr uint32_t kNumbers = kLines * kTileDepth / kTileThreads;
  using Fetched = uint4[kNumbers / 4];

  static __device__ uint32_t line() { return threadIdx.x % kLines; }
  static __device__ uint32_t depth() { return threadIdx.x / kLines * kNumbers; }

  static __device__ void fetch(const Matrix &from, uint64_t first, uint64_t k, Fetched &fetched) {
    HB_UNROLL for (uint32_t i = 0; i < kNumbers / 4; i++) fetched[i] = from.fetch(first + line(), k + depth() + 4 * i);
  }
  static __device__ void put(const float (&numbers)[kNumbers], Slice<kLines> &to) {
    HB_UNROLL for (uint32_t i = 0; i < kNumbers; i++) to.numbers[depth() + i][line()] = numbers[i];
  }
  static __device__ void put(const Matrix &from, const Fetched &fetched, Slice<kLines> &to) {
    float numbers[kNumbers];
    HB_UNROLL for (uint32_t i = 0; i < kNumbers; i++) numbers[i] = 0;
    HB_UNROLL for (uint32_t i = 0; i < kNumbers / 4; i++) {
      const Quad quad = from.elements.widened(fetched[i]);
      HB_UNROLL for (uint32_t j = 0; j < 4; j++) numbers[4 * i + j] = quad.values[j];
    }
    put(numbers, to);
  }
};

// A weight gives `In<kSide>`: what a thread fetches of a slice while the one before is multiplied, and how it comes to shared memory.

// W[columns, inner]: the sum goes along its rows.
struct TileRows {
  Matrix weight;
  template <uint32_t kSide>
  struct In {
    using Loader = LineLoader<TileShape<kSide>::kColumns>;
    typename Loader::Fetched fetched;
    __device__ void fetch(const TileRows &from, uint64_t column, uint64_t k) { Loader::fetch(from.weight, column, k, fetched); }
    __device__ void put(const TileRows &from, const float *, uint64_t, uint64_t, Slice<TileShape<kSide>::kColumns> &to) const {
      Loader::put(from.weight, fetched, to);
    }
  };
  __device__ void load_table(float *) const {}
};

// W[inner, columns]: the sum goes down its columns.
struct TileColumns {
  Matrix weight;
  template <uint32_t kSide>
  struct In {
    static constexpr uint32_t kLine = TileShape<kSide>::kColumns / 4, kQuads = kTileDepth * kLine / kTileThreads;
    uint4 fetched[kQuads];
    static __device__ uint32_t depth(uint32_t i) { return (i * kTileThreads + threadIdx.x) / kLine; }
    static __device__ uint32_t column_in(uint32_t i) { return (i * kTileThreads + threadIdx.x) % kLine * 4; }
    __device__ void fetch(const TileColumns &from, uint64_t column, uint64_t k) {
      HB_UNROLL for (uint32_t i = 0; i < kQuads; i++) {
        const uint64_t at = k + depth(i);
        fetched[i] = {0, 0, 0, 0};
        if (at < from.weight.rows) fetched[i] = from.weight.fetch(at, column + column_in(i));
      }
    }
    __device__ void put(const TileColumns &from, const float *, uint64_t, uint64_t, Slice<TileShape<kSide>::kColumns> &to) const {
      HB_UNROLL for (uint32_t i = 0; i < kQuads; i++) put_quad(&to.numbers[depth(i)][column_in(i)], from.weight.elements.widened(fetched[i]));
    }
  };
  __device__ void load_table(float *) const {}
};

// A weight of codes gives Piece, fetch() and decode() (decode_4bit.cuh).
template <class Codes>
struct TileDecoded {
  Codes codes;
  template <uint32_t kSide>
  struct In {
    using Loader = LineLoader<TileShape<kSide>::kColumns>;
    typename Codes::template Piece<Loader::kNumbers> piece;
    __device__ void fetch(const TileDecoded &from, uint64_t column, uint64_t k) {
      piece = from.codes.template fetch<Loader::kNumbers>(column + Loader::line(), k + Loader::depth());
    }
    __device__ void put(const TileDecoded &from, const float *table, uint64_t column, uint64_t k,
                        Slice<TileShape<kSide>::kColumns> &to) const {
      float numbers[Loader::kNumbers];
      from.codes.decode(piece, table, column + Loader::line(), k + Loader::depth(), numbers);
      Loader::put(numbers, to);
    }
  };
  __device__ void load_table(float *table) const { codes.load_table(table); }
};

template <class Weight>
struct TileTask {
  Matrix x;
  Weight weight;
  Result result;
};

// A thread's part of a tile: quads of rows times quads of columns, of which a side of 8 has two, half a tile apart.
template <uint32_t kSide>
struct TilePart {
  using Shape = TileShape<kSide>;
  float sum[kSide][kSide], total[kSide][kSide];

  static __device__ uint32_t row(uint32_t i) { return i / 4 * (Shape::kRows / 2) + threadIdx.x / 16 * 4 + i % 4; }
  static __device__ uint32_t column(uint32_t i) { return i / 4 * (Shape::kColumns / 2) + threadIdx.x % 16 * 4 + i % 4; }

  __device__ void clear() {
    HB_UNROLL for (uint32_t i = 0; i < kSide * kSide; i++) sum[i / kSide][i % kSide] = total[i / kSide][i % kSide] = 0;
  }
  __device__ void multiply(const Slice<Shape::kRows> &rows, const Slice<Shape::kColumns> &columns) {
    HB_UNROLL for (uint32_t depth = 0; depth < kTileDepth; depth++) {
      Quad a[kSide / 4], b[kSide / 4];
      HB_UNROLL for (uint32_t i = 0; i < kSide / 4; i++) {
        a[i] = quad_at(&rows.numbers[depth][row(4 * i)]);
        b[i] = quad_at(&columns.numbers[depth][column(4 * i)]);
      }
      HB_UNROLL for (uint32_t i = 0; i < kSide; i++) {
        HB_UNROLL for (uint32_t j = 0; j < kSide; j++) sum[i][j] = __fmaf_rn(a[i / 4].values[i % 4], b[j / 4].values[j % 4], sum[i][j]);
      }
    }
  }
  __device__ void begin_anew() {
    HB_UNROLL for (uint32_t i = 0; i < kSide; i++) {
      HB_UNROLL for (uint32_t j = 0; j < kSide; j++) {
        total[i][j] = __fadd_rn(total[i][j], sum[i][j]);
        sum[i][j] = 0;
      }
    }
  }
  // By way of shared memory, one row of each thread at a time: so neighbours write to neighbours, and what happens to a number is said once.
  __device__ void put(const Result &result, uint64_t first_row, uint64_t first_column, Slice<Shape::kRows> &slice) const {
    float *const shared = &slice.numbers[0][0];
    HB_UNROLL_BY(1) for (uint32_t turn = 0; turn < kSide; turn++) {
      __syncthreads();
      HB_UNROLL for (uint32_t i = 0; i < kSide; i++) {
        HB_UNROLL for (uint32_t j = 0; j < kSide; j++)
          if (i == turn) shared[threadIdx.x / 16 * Shape::kColumns + column(j)] = total[i][j];
      }
      __syncthreads();
      const uint32_t turn_row = turn / 4 * (Shape::kRows / 2) + turn % 4;
      HB_UNROLL_BY(1) for (uint32_t i = threadIdx.x; i < 8 * Shape::kColumns; i += kTileThreads)
        result.put(first_row + turn_row + i / Shape::kColumns * 4, first_column + i % Shape::kColumns, shared[i]);
    }
    // Before the next tile's slices come there.
    __syncthreads();
  }
};

template <class Weight, uint32_t kSide>
__global__ void __launch_bounds__(kTileThreads, 1) f32_tile(TileTask<Weight> task, TileGrid grid) {
  using Shape = TileShape<kSide>;
  using Rows = LineLoader<Shape::kRows>;
  __shared__ float table[16];
  __shared__ Slice<Shape::kRows> rows;
  __shared__ Slice<Shape::kColumns> columns;
  task.weight.load_table(table);
  const uint64_t inner = task.x.inner;
  for (uint64_t tile = blockIdx.x; tile < grid.tiles(); tile += gridDim.x) {
    const uint64_t first_row = grid.row_of(tile) * Shape::kRows, first_column = grid.column_of(tile) * Shape::kColumns;
    typename Rows::Fetched x;
    typename Weight::template In<kSide> weight;
    TilePart<kSide> part;
    part.clear();
    // A turn fetches the slices for the turn after it.
    HB_UNROLL_BY(1) for (uint64_t k = 0;; k += kTileDepth) {
      if (k > 0) {
        // What is there was read.
        __syncthreads();
        Rows::put(task.x, x, rows);
        weight.put(task.weight, table, first_column, k - kTileDepth, columns);
        __syncthreads();
      }
      if (k < inner) {
        Rows::fetch(task.x, first_row, k, x);
        weight.fetch(task.weight, first_column, k);
      }
      if (k > 0) part.multiply(rows, columns);
      if (k % kTileChunk == 0 || k >= inner) part.begin_anew();
      if (k >= inner) break;
    }
    part.put(task.result, first_row, first_column, rows);
  }
}

}  // namespace hb
