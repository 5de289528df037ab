// out[m,n] = a[m,k] · b[n,k]ᵀ in 8-bit integers with exact 32-bit sums, four products an instruction where the GPU has one (sm_61 and later).
//
// Rows are multiples of 16 bytes here, and begin at such addresses: others are padded first (int8_pad.cuh). Beyond k = 131 071 sums wrap, as
// 32-bit integers do.
#pragma once
#include "int8_scale.cuh"
#include "mma.cuh"

namespace hb {

struct Product8 {
  const int8_t *a, *b;
  uint64_t m, n, k;
};

// Whether code is wanted for GPUs from one compute capability on and below another one. The emulated device plays all of them.
template <int from, int below>
#if defined(HB_EMULATED)
constexpr bool is_compiled = true;
#else
constexpr bool is_compiled = from <= kCompiledCapability && kCompiledCapability < below;
#endif

// The smallest piece of a row.
constexpr uint32_t kBytesTogether = 16;

__device__ inline uint4 load_16(const int8_t *row, uint64_t at) { return *reinterpret_cast<const uint4 *>(row + at); }

__device__ inline int32_t dot4(uint32_t a, uint32_t b, int32_t sum) {
#if defined(HB_EMULATED) || __CUDA_ARCH__ >= 610
  return __dp4a(static_cast<int>(a), static_cast<int>(b), sum);
#else
  HB_UNROLL for (uint32_t shift = 0; shift < 32; shift += 8)
    sum = static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift)));
  return sum;
#endif
}

__device__ inline int32_t dot16(const uint4 &a, const uint4 &b, int32_t sum) {
  return dot4(a.w, b.w, dot4(a.z, b.z, dot4(a.y, b.y, dot4(a.x, b.x, sum))));
}

// ── Few rows: a warp to four columns, which it reads once from memory ──

constexpr uint32_t kFewRows = 8, kColumnsOfWarp = 4, kFewRowsThreads = 256;

// Each lane keeps half of its values, and adds what the lane that keeps the others has of them.
template <uint32_t half>
__device__ void halve(int32_t (&values)[32]) {
  const bool is_upper = (threadIdx.x & half) != 0;
  HB_UNROLL for (uint32_t i = 0; i < half; i++) {
    const uint32_t low = static_cast<uint32_t>(values[i]), high = static_cast<uint32_t>(values[i + half]);
    values[i] = static_cast<int32_t>((is_upper ? high : low) + __shfl_xor_sync(~0u, is_upper ? low : high, half));
  }
}

// Thirty-two sums over the warp, of which lane i gets the i-th.
__device__ inline int32_t sum_of_lane(int32_t (&values)[32]) {
  halve<16>(values), halve<8>(values), halve<4>(values), halve<2>(values), halve<1>(values);
  return values[0];
}

__global__ void __launch_bounds__(kFewRowsThreads, 2) int8_few_rows(Product8 p, ResultOf8 result) {
  const uint32_t lane = threadIdx.x % 32, warps = kFewRowsThreads / 32;
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * warps * kColumnsOfWarp;
  for (uint64_t first = (static_cast<uint64_t>(blockIdx.x) * warps + threadIdx.x / 32) * kColumnsOfWarp; first < p.n; first += stride) {
    const int8_t *columns[kColumnsOfWarp];
    // A column that is not there is the last one, computed again.
    HB_UNROLL for (uint32_t i = 0; i < kColumnsOfWarp; i++) columns[i] = p.b + min(first + i, p.n - 1) * p.k;
    int32_t sums[kFewRows * kColumnsOfWarp] = {};
    HB_UNROLL_BY(1) for (uint64_t at = lane * kBytesTogether; at < p.k; at += 32 * kBytesTogether) {
      uint4 b[kColumnsOfWarp];
      HB_UNROLL for (uint32_t i = 0; i < kColumnsOfWarp; i++) b[i] = load_16(columns[i], at);
      HB_UNROLL for (uint32_t row = 0; row < kFewRows; row++) {
        if (row >= p.m) continue;
        const uint4 a = load_16(p.a + row * p.k, at);
        HB_UNROLL for (uint32_t i = 0; i < kColumnsOfWarp; i++) sums[row * kColumnsOfWarp + i] = dot16(a, b[i], sums[row * kColumnsOfWarp + i]);
      }
    }
    const int32_t mine = sum_of_lane(sums);
    const uint64_t row = lane / kColumnsOfWarp, column = first + lane % kColumnsOfWarp;
    if (row < p.m && column < p.n) result.store_one(row, column, p.n, mine);
  }
}

// ── Tiles ──

constexpr uint32_t kTileRows = 128, kTileColumns = 64, kTileBytes = 64, kTileThreads = 256;
// What a thread holds of a tile's sums; a warp holds 32 × 32.
constexpr uint32_t kThreadRows = 8, kThreadColumns = 4;

// A step along k, words of one k side by side, so that a thread reads those of its rows 16 bytes at a time.
struct Staged8 {
  static constexpr uint32_t kWords = kTileBytes / 4;
  // Four words between the rows, for the banks.
  alignas(16) uint32_t a[kWords][kTileRows + 4];
  alignas(16) uint32_t b[kWords][kTileColumns + 4];
};

// What a thread brings from memory for a step: 16 bytes of two rows of a and of one of b.
struct Fetched8 {
  static constexpr uint32_t kThreadsOfRow = kTileBytes / kBytesTogether, kRowsAtOnce = kTileThreads / kThreadsOfRow;
  uint4 a[kTileRows / kRowsAtOnce], b;

  __device__ void fetch(const Product8 &p, uint64_t first_row, uint64_t first_column, uint64_t at) {
    const uint64_t byte = at + threadIdx.x % kThreadsOfRow * kBytesTogether, line = threadIdx.x / kThreadsOfRow;
    HB_UNROLL for (uint32_t i = 0; i < kTileRows / kRowsAtOnce; i++) a[i] = load_line(p.a, first_row + line + i * kRowsAtOnce, p.m, byte, p.k);
    b = load_line(p.b, first_column + line, p.n, byte, p.k);
  }

  __device__ void put(Staged8 &staged) const {
    const uint32_t word = threadIdx.x % kThreadsOfRow * 4, line = threadIdx.x / kThreadsOfRow;
    HB_UNROLL for (uint32_t i = 0; i < kTileRows / kRowsAtOnce; i++) put_line(staged.a, word, line + i * kRowsAtOnce, a[i]);
    put_line(staged.b, word, line, b);
  }

 private:
  static __device__ uint4 load_line(const int8_t *matrix, uint64_t line, uint64_t lines, uint64_t byte, uint64_t k) {
    return line < lines && byte < k ? load_16(matrix + line * k, byte) : uint4{0, 0, 0, 0};
  }
  template <uint32_t width>
  static __device__ void put_line(uint32_t (&words)[Staged8::kWords][width], uint32_t word, uint32_t line, const uint4 &four) {
    words[word][line] = four.x, words[word + 1][line] = four.y, words[word + 2][line] = four.z, words[word + 3][line] = four.w;
  }
};

__device__ inline uint4 four_words(const uint32_t *words) { return *reinterpret_cast<const uint4 *>(words); }

// Adds a step to a thread's sums.
__device__ inline void add_step(const Staged8 &staged, uint32_t row, uint32_t column, int32_t (&sums)[kThreadRows][kThreadColumns]) {
  HB_UNROLL_BY(4) for (uint32_t word = 0; word < Staged8::kWords; word++) {
    const uint4 low = four_words(&staged.a[word][row]), high = four_words(&staged.a[word][row + 4]), right = four_words(&staged.b[word][column]);
    const uint32_t a[kThreadRows] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    const uint32_t b[kThreadColumns] = {right.x, right.y, right.z, right.w};
    HB_UNROLL for (uint32_t i = 0; i < kThreadRows; i++)
      HB_UNROLL for (uint32_t j = 0; j < kThreadColumns; j++) sums[i][j] = dot4(a[i], b[j], sums[i][j]);
  }
}

__device__ inline void multiply_tile(Staged8 (&staged)[2], const Product8 &p, uint64_t first_row, uint64_t first_column, uint32_t row,
                                     uint32_t column, int32_t (&sums)[kThreadRows][kThreadColumns]) {
  Fetched8 next;
  next.fetch(p, first_row, first_column, 0);
  next.put(staged[0]);
  __syncthreads();
  // The next step is on its way while this one is computed.
  uint32_t now = 0;
  HB_UNROLL_BY(1) for (uint64_t at = 0; at < p.k; at += kTileBytes, now ^= 1) {
    const bool goes_on = at + kTileBytes < p.k;
    if (goes_on) next.fetch(p, first_row, first_column, at + kTileBytes);
    add_step(staged[now], row, column, sums);
    if (goes_on) next.put(staged[now ^ 1]);
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kTileThreads, 2) int8_tiles(Product8 p, uint64_t tiles, ResultOf8 result) {
  // Later GPUs have int8_mma.cuh, and no code for this.
  if constexpr (is_compiled<0, kInt8MmaCapability>) {
    __shared__ union {
      Staged8 staged[2];
      alignas(16) int32_t sums[kTileRows][kTileColumns + 4];
    } shared;
    const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const uint32_t row = warp / 2 * 32 + lane / 8 * kThreadRows, column = warp % 2 * 32 + lane % 8 * kThreadColumns;
    const uint64_t across = (p.n + kTileColumns - 1) / kTileColumns;
    for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const uint64_t first_row = tile / across * kTileRows, first_column = tile % across * kTileColumns;
      int32_t sums[kThreadRows][kThreadColumns] = {};
      multiply_tile(shared.staged, p, first_row, first_column, row, column, sums);
      HB_UNROLL for (uint32_t i = 0; i < kThreadRows; i++)
        *reinterpret_cast<int4 *>(&shared.sums[row + i][column]) = {sums[i][0], sums[i][1], sums[i][2], sums[i][3]};
      __syncthreads();
      store_rows<kTileThreads, kTileColumns>(shared.sums, result, [&](uint32_t i) { return first_row + i; }, first_column, p.m, p.n);
      // Before the next tile is staged there.
      __syncthreads();
    }
  }
}

}  // namespace hb
