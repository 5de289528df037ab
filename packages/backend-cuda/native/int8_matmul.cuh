// out[m,n] = a[m,k] · b[n,k]ᵀ in 8-bit integers with exact 32-bit sums, four products an instruction where the GPU has one (sm_61 and later).
//
// Beyond k = 131 071 sums wrap, as 32-bit integers do. What becomes of the sums is the epilogue's: KeepSums or ScaleSums (int8_scale.cuh).
#pragma once
#include "int8_scale.cuh"

namespace hb {

struct Product8 {
  const int8_t *a, *b;
  uint64_t m, n, k;
};

__device__ inline int32_t dot4(uint32_t a, uint32_t b, int32_t sum) {
#if defined(HB_EMULATED) || __CUDA_ARCH__ >= 610
  return __dp4a(static_cast<int>(a), static_cast<int>(b), sum);
#else
  HB_UNROLL for (uint32_t shift = 0; shift < 32; shift += 8) sum += static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift);
  return sum;
#endif
}

__device__ inline int32_t dot16(const uint4 &a, const uint4 &b, int32_t sum) {
  return dot4(a.w, b.w, dot4(a.z, b.z, dot4(a.y, b.y, dot4(a.x, b.x, sum))));
}

// The first `count` bytes of a word, the others zero.
__device__ inline uint32_t first_bytes(uint32_t word, uint64_t count) {
  return count >= 4 ? word : word & ((1u << 8 * static_cast<uint32_t>(count)) - 1);
}

// Sixteen bytes of a row of `k` from `at` on, zeros beyond its end. Aligned: rows begin and end at multiples of 16 bytes. Else they are put together
// from the aligned words that hold a byte of the row.
template <bool aligned>
__device__ uint4 load_16(const int8_t *row, uint64_t at, uint64_t k) {
  if (at >= k) return {0, 0, 0, 0};
  if constexpr (aligned) return *reinterpret_cast<const uint4 *>(row + at);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(row + at), end = reinterpret_cast<uintptr_t>(row + k);
  const uint32_t shift = static_cast<uint32_t>(begin % 4) * 8;
  uint32_t raw[5], words[4];
  HB_UNROLL for (uint32_t i = 0; i < 5; i++) {
    const uintptr_t address = begin / 4 * 4 + 4 * i;
    raw[i] = address < end ? *reinterpret_cast<const uint32_t *>(address) : 0;
  }
  HB_UNROLL for (uint32_t i = 0; i < 4; i++)
    words[i] = at + 4 * i < k ? first_bytes(__funnelshift_r(raw[i], raw[i + 1], shift), k - at - 4 * i) : 0;
  return {words[0], words[1], words[2], words[3]};
}

// ── Few rows: a warp to a pair of columns, which it reads once from memory ──

constexpr uint32_t kFewRows = 8, kColumnsOfWarp = 2, kFewRowsThreads = 256;

__device__ inline int32_t sum_of_warp(int32_t value) {
  for (uint32_t apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(~0u, value, apart);
  return value;
}

template <bool aligned, class Epilogue>
__global__ void __launch_bounds__(kFewRowsThreads, 2) int8_few_rows(Product8 p, Epilogue epilogue) {
  const uint32_t lane = threadIdx.x % 32, warps = kFewRowsThreads / 32;
  const uint64_t stride = static_cast<uint64_t>(gridDim.x) * warps * kColumnsOfWarp;
  for (uint64_t column = (static_cast<uint64_t>(blockIdx.x) * warps + threadIdx.x / 32) * kColumnsOfWarp; column < p.n; column += stride) {
    // A column that is not there is the last one, computed again.
    const int8_t *const first = p.b + column * p.k, *const second = p.b + min(column + 1, p.n - 1) * p.k;
    int32_t sums[kFewRows][kColumnsOfWarp] = {};
    HB_UNROLL_BY(2) for (uint64_t at = lane * 16; at < p.k; at += 32 * 16) {
      const uint4 b0 = load_16<aligned>(first, at, p.k), b1 = load_16<aligned>(second, at, p.k);
      HB_UNROLL for (uint32_t row = 0; row < kFewRows; row++) {
        if (row >= p.m) continue;
        const uint4 a = load_16<aligned>(p.a + row * p.k, at, p.k);
        sums[row][0] = dot16(a, b0, sums[row][0]);
        sums[row][1] = dot16(a, b1, sums[row][1]);
      }
    }
    // A lane keeps the sum that it stores.
    int32_t mine = 0;
    HB_UNROLL for (uint32_t i = 0; i < kFewRows * kColumnsOfWarp; i++) {
      if (i / kColumnsOfWarp >= p.m) continue;
      const int32_t sum = sum_of_warp(sums[i / kColumnsOfWarp][i % kColumnsOfWarp]);
      if (lane == i) mine = sum;
    }
    const uint64_t row = lane / kColumnsOfWarp, stored = column + lane % kColumnsOfWarp;
    if (row < p.m && stored < p.n) epilogue.store_one(row, stored, p.n, mine);
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
template <bool aligned>
struct Fetched8 {
  static constexpr uint32_t kThreadsOfRow = kTileBytes / 16, kRowsAtOnce = kTileThreads / kThreadsOfRow;
  uint4 a[kTileRows / kRowsAtOnce], b;

  __device__ void fetch(const Product8 &p, uint64_t first_row, uint64_t first_column, uint64_t at) {
    const uint64_t byte = at + threadIdx.x % kThreadsOfRow * 16, line = threadIdx.x / kThreadsOfRow;
    HB_UNROLL for (uint32_t i = 0; i < kTileRows / kRowsAtOnce; i++)
      a[i] = load_line(p.a, first_row + line + i * kRowsAtOnce, p.m, byte, p.k);
    b = load_line(p.b, first_column + line, p.n, byte, p.k);
  }

  __device__ void put(Staged8 &staged) const {
    const uint32_t word = threadIdx.x % kThreadsOfRow * 4, line = threadIdx.x / kThreadsOfRow;
    HB_UNROLL for (uint32_t i = 0; i < kTileRows / kRowsAtOnce; i++) {
      staged.a[word][line + i * kRowsAtOnce] = a[i].x, staged.a[word + 1][line + i * kRowsAtOnce] = a[i].y;
      staged.a[word + 2][line + i * kRowsAtOnce] = a[i].z, staged.a[word + 3][line + i * kRowsAtOnce] = a[i].w;
    }
    staged.b[word][line] = b.x, staged.b[word + 1][line] = b.y, staged.b[word + 2][line] = b.z, staged.b[word + 3][line] = b.w;
  }

 private:
  static __device__ uint4 load_line(const int8_t *matrix, uint64_t line, uint64_t lines, uint64_t byte, uint64_t k) {
    return line < lines ? load_16<aligned>(matrix + line * k, byte, k) : uint4{0, 0, 0, 0};
  }
};

// Adds a step to a thread's sums.
__device__ inline void multiply(const Staged8 &staged, uint32_t row, uint32_t column, int32_t (&sums)[kThreadRows][kThreadColumns]) {
  HB_UNROLL_BY(4) for (uint32_t word = 0; word < Staged8::kWords; word++) {
    const uint4 low = *reinterpret_cast<const uint4 *>(&staged.a[word][row]), high = *reinterpret_cast<const uint4 *>(&staged.a[word][row + 4]);
    const uint4 right = *reinterpret_cast<const uint4 *>(&staged.b[word][column]);
    const uint32_t a[kThreadRows] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    const uint32_t b[kThreadColumns] = {right.x, right.y, right.z, right.w};
    HB_UNROLL for (uint32_t i = 0; i < kThreadRows; i++)
      HB_UNROLL for (uint32_t j = 0; j < kThreadColumns; j++) sums[i][j] = dot4(a[i], b[j], sums[i][j]);
  }
}

template <bool aligned, class Epilogue>
__global__ void __launch_bounds__(kTileThreads, 2) int8_tiles(Product8 p, uint64_t tiles, Epilogue epilogue) {
  __shared__ Staged8 staged[2];
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const uint32_t row = warp / 2 * 32 + lane / 8 * kThreadRows, column = warp % 2 * 32 + lane % 8 * kThreadColumns;
  const uint64_t across = (p.n + kTileColumns - 1) / kTileColumns;
  for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint64_t first_row = tile / across * kTileRows, first_column = tile % across * kTileColumns;
    int32_t sums[kThreadRows][kThreadColumns] = {};
    Fetched8<aligned> next;
    next.fetch(p, first_row, first_column, 0);
    next.put(staged[0]);
    __syncthreads();
    // The next step is on its way while this one is computed.
    uint32_t now = 0;
    for (uint64_t at = 0; at < p.k; at += kTileBytes, now ^= 1) {
      const bool goes_on = at + kTileBytes < p.k;
      if (goes_on) next.fetch(p, first_row, first_column, at + kTileBytes);
      multiply(staged[now], row, column, sums);
      if (goes_on) next.put(staged[now ^ 1]);
      __syncthreads();
    }
    if (first_column + column >= p.n) continue;
    const auto four = epilogue.columns(first_column + column, p.n);
    HB_UNROLL for (uint32_t i = 0; i < kThreadRows; i++)
      if (first_row + row + i < p.m) epilogue.store(four, first_row + row + i, first_column + column, p.n, sums[i]);
  }
}

}  // namespace hb
