// The product of int8_matmul.cuh on tensor cores (mma.cuh), for many rows: tiles of both operands come through shared memory in several stages, of
// which one is multiplied while the next ones are on their way.
#pragma once
#include "async_copy.cuh"
#include "int8_matmul.cuh"

namespace hb {

// A thread block's part of the result, and a warp's part of that; how many bytes of k a stage holds, and how many stages there are; for which GPUs.
template <uint32_t rows, uint32_t columns, uint32_t warp_rows, uint32_t warp_columns, uint32_t bytes, uint32_t stages, int from, int below>
struct ByteTile {
  static constexpr uint32_t kRows = rows, kColumns = columns, kBytes = bytes, kStages = stages;
  static constexpr uint32_t kWarpRows = warp_rows, kWarpColumns = warp_columns;
  static constexpr uint32_t kWarpsAcross = columns / warp_columns, kWarpsDown = rows / warp_rows;
  static constexpr uint32_t kThreads = 32 * kWarpsAcross * kWarpsDown;
  static constexpr bool kIsCompiled = is_compiled<from, below>;
};

constexpr int kAsyncCopyCapability = 80, kAnyLater = 1000;
// For speed of the tensor cores: 48 KiB, so that every GPU holds two of them.
using LargeMmaTile = ByteTile<128, 128, 64, 64, 64, 3, kInt8MmaCapability, kAnyLater>;
// For speed of memory, where there are few rows or few tiles: 96 KiB, most of them on their way.
using SmallMmaTile = ByteTile<64, 32, 16, 32, 128, 8, kAsyncCopyCapability, kAnyLater>;
// The same for GPUs whose copies nobody can leave alone, and that have less room for them.
using OldSmallMmaTile = ByteTile<64, 32, 16, 32, 128, 2, kInt8MmaCapability, kAsyncCopyCapability>;

// Rows of a stage. Their 16-byte pieces change places from row to row, so that eight rows of one piece lie in different banks.
template <uint32_t rows, uint32_t bytes>
struct SwizzledRows {
  static constexpr uint32_t kPieces = bytes / kBytesTogether;
  alignas(16) uint8_t data[rows * bytes];

  __device__ uint8_t *at(uint32_t row, uint32_t piece) { return data + row * bytes + (piece ^ row / (128 / bytes) % kPieces) * kBytesTogether; }
};

// What a thread copies of an operand, stage after stage: one piece of every so many rows, in which it lies at the same place.
template <uint32_t rows, uint32_t bytes, uint32_t threads>
class RowCopies {
 public:
  // From row `first` of a matrix of `lines` on.
  __device__ RowCopies(const int8_t *matrix, uint64_t first, uint64_t lines, uint64_t k) : stride_(kApart * k), left_(k) {
    const uint32_t row = threadIdx.x / kPieces, piece = threadIdx.x % kPieces;
    from_ = matrix + (first + row) * k + piece * kBytesTogether;
    HB_UNROLL for (uint32_t i = 0; i < kCopies; i++) present_ |= static_cast<uint32_t>(first + row + i * kApart < lines) << i;
    // Where its piece of a row ends.
    left_ -= piece * kBytesTogether;
  }

  // Starts the copies of the next stage; zeros where the matrix has no bytes.
  __device__ void start(SwizzledRows<rows, bytes> &to) {
    uint8_t *const shared = to.at(threadIdx.x / kPieces, threadIdx.x % kPieces);
    HB_UNROLL for (uint32_t i = 0; i < kCopies; i++)
      copy_async(shared + i * kApart * bytes, from_ + i * stride_, left_ > 0 && (present_ >> i & 1) != 0);
    from_ += bytes;
    left_ -= bytes;
  }

 private:
  static constexpr uint32_t kPieces = bytes / kBytesTogether, kApart = threads / kPieces, kCopies = rows / kApart;
  static_assert(threads % kPieces == 0 && rows % kApart == 0 && kApart % 8 == 0, "every thread copies as much, to the same place of its rows");
  const int8_t *from_;
  const uint64_t stride_;
  int64_t left_;
  uint32_t present_ = 0;
};

template <class Tile>
struct MmaStage {
  SwizzledRows<Tile::kRows, Tile::kBytes> a;
  SwizzledRows<Tile::kColumns, Tile::kBytes> b;
};

template <class Tile>
struct MmaCopies {
  RowCopies<Tile::kRows, Tile::kBytes, Tile::kThreads> a;
  RowCopies<Tile::kColumns, Tile::kBytes, Tile::kThreads> b;

  __device__ MmaCopies(const Product8 &p, uint64_t first_row, uint64_t first_column)
      : a(p.a, first_row, p.m, p.k), b(p.b, first_column, p.n, p.k) {}

  __device__ void start(MmaStage<Tile> &stage) {
    a.start(stage.a);
    b.start(stage.b);
    end_copy_group();
  }
};

// What a warp holds of the result, in pieces of 16 rows and 8 columns.
template <class Tile>
struct MmaSums {
  static constexpr uint32_t kDown = Tile::kWarpRows / 16, kAcross = Tile::kWarpColumns / 8;
  int32_t pieces[kDown][kAcross][4] = {};

  // Calls meanwhile() when it has its first operands.
  template <class Meanwhile>
  __device__ void add(MmaStage<Tile> &stage, uint32_t row, uint32_t column, const Meanwhile &meanwhile) {
    const uint32_t lane = threadIdx.x % 32;
    HB_UNROLL for (uint32_t k = 0; k < Tile::kBytes / kBytesTogether; k += 2) {
      uint32_t a[kDown][4], b[kAcross][2];
      HB_UNROLL for (uint32_t i = 0; i < kDown; i++) load_matrices(a[i], stage.a.at(row + 16 * i + lane % 16, k + lane / 16));
      HB_UNROLL for (uint32_t j = 0; j < kAcross; j += 2) {
        uint32_t two[4];
        load_matrices(two, stage.b.at(column + 8 * j + lane % 8 + lane / 16 * 8, k + lane / 8 % 2));
        b[j][0] = two[0], b[j][1] = two[1], b[j + 1][0] = two[2], b[j + 1][1] = two[3];
      }
      if (k == 0) meanwhile();
      HB_UNROLL for (uint32_t i = 0; i < kDown; i++)
        HB_UNROLL for (uint32_t j = 0; j < kAcross; j++) Int8Mma::multiply(pieces[i][j], a[i], b[j]);
    }
  }

  // The pieces of one of the 16-row bands to shared memory.
  template <uint32_t width>
  __device__ void put(uint32_t band, int32_t (*sums)[width], uint32_t row, uint32_t column) const {
    const uint32_t g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    HB_UNROLL for (uint32_t i = 0; i < kDown; i++) {
      // An index known when it is compiled: the sums stay in registers.
      if (i != band) continue;
      HB_UNROLL for (uint32_t j = 0; j < kAcross; j++) {
        const int32_t(&c)[4] = pieces[i][j];
        *reinterpret_cast<int2 *>(&sums[row + g][column + 8 * j + 2 * t]) = {c[0], c[1]};
        *reinterpret_cast<int2 *>(&sums[row + g + 8][column + 8 * j + 2 * t]) = {c[2], c[3]};
      }
    }
  }
};

// Where a tile begins. Eight rows of tiles go side by side, so that what neighbours read stays in the cache.
struct TileOrder {
  uint64_t down, across;

  __device__ uint64_t row_of(uint64_t tile) const { return band(tile) * kBand + tile % (kBand * across) % height(tile); }
  __device__ uint64_t column_of(uint64_t tile) const { return tile % (kBand * across) / height(tile); }

 private:
  static constexpr uint64_t kBand = 8;
  __device__ uint64_t band(uint64_t tile) const { return tile / (kBand * across); }
  __device__ uint64_t height(uint64_t tile) const { return min(kBand, down - band(tile) * kBand); }
};

template <class Tile>
__device__ void multiply_tile(MmaStage<Tile> (&stages)[Tile::kStages], const Product8 &p, uint64_t first_row, uint64_t first_column, uint32_t row,
                              uint32_t column, MmaSums<Tile> &sums) {
  MmaCopies<Tile> copies(p, first_row, first_column);
  HB_UNROLL_BY(1) for (uint32_t i = 0; i + 1 < Tile::kStages; i++) copies.start(stages[i]);
  uint32_t now = 0, last = Tile::kStages - 1;
  HB_UNROLL_BY(1) for (uint64_t at = 0; at < p.k; at += Tile::kBytes) {
    await_copies<static_cast<int>(Tile::kStages) - 2>();
    // After it everyone has this stage's bytes, and is done with those that the next copies replace.
    __syncthreads();
    sums.add(stages[now], row, column, [&] { copies.start(stages[last]); });
    last = now;
    now = now + 1 < Tile::kStages ? now + 1 : 0;
  }
  await_copies<0>();
  __syncthreads();
}

template <class Tile>
union MmaShared {
  MmaStage<Tile> stages[Tile::kStages];
  // Eight words between the rows, for the banks.
  alignas(16) int32_t sums[16 * Tile::kWarpsDown][Tile::kColumns + 8];
};

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, 2) int8_mma(Product8 p, uint64_t tiles, TileOrder order, ResultOf8 result) {
  if constexpr (Tile::kIsCompiled) {
    HB_DYNAMIC_SHARED(memory);
    MmaShared<Tile> &shared = *reinterpret_cast<MmaShared<Tile> *>(memory);
    const uint32_t warp = threadIdx.x / 32, warp_row = warp / Tile::kWarpsAcross, column = warp % Tile::kWarpsAcross * Tile::kWarpColumns;
    for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const uint64_t first_row = order.row_of(tile) * Tile::kRows, first_column = order.column_of(tile) * Tile::kColumns;
      MmaSums<Tile> sums;
      multiply_tile<Tile>(shared.stages, p, first_row, first_column, warp_row * Tile::kWarpRows, column, sums);
      HB_UNROLL_BY(1) for (uint32_t band = 0; band < Tile::kWarpRows / 16; band++) {
        sums.put(band, shared.sums, 16 * warp_row, column);
        __syncthreads();
        const auto row_of = [&](uint32_t i) { return first_row + i / 16 * Tile::kWarpRows + 16 * band + i % 16; };
        store_rows<Tile::kThreads, Tile::kColumns>(shared.sums, result, row_of, first_column, p.m, p.n);
        // Before the next band, or tile, is put there.
        __syncthreads();
      }
    }
  }
}

}  // namespace hb
