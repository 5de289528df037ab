// LLM.int8(): what outlier columns add to a product: the columns of x, as they are, times the decoded weight. How many they are is known on the
// device alone, and nobody waits to be told.
#pragma once
#include "int8_rows.cuh"
#include "operands.cuh"

namespace hb {

// ── Which columns ──

// Ascending; [0, *count) of `columns`.
struct OutlierList {
  uint32_t *count, *columns;
};

constexpr uint32_t kListThreads = 256, kListedTogether = 16;

// How many of the threads before this one, and of all, hold how much. All threads take part.
struct Running {
  uint32_t before, total;
};

__device__ inline Running count_before(uint32_t count) {
  __shared__ uint32_t of_warp[kListThreads / 32];
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t until = count;
  for (uint32_t apart = 1; apart < 32; apart *= 2) {
    const uint32_t below = __shfl_up_sync(~0u, until, apart);
    if (lane >= apart) until += below;
  }
  if (lane == 31) of_warp[warp] = until;
  __syncthreads();
  Running running = {until - count, 0};
  for (uint32_t i = 0; i < kListThreads / 32; i++) {
    if (i < warp) running.before += of_warp[i];
    running.total += of_warp[i];
  }
  // Before the next call writes there.
  __syncthreads();
  return running;
}

// Sixteen columns from `first` as bits.
__device__ inline uint32_t outliers_from(const uint8_t *mask, uint64_t first, uint64_t k) {
  uint32_t bits = 0;
  HB_UNROLL for (uint32_t i = 0; i < kListedTogether; i++)
    if (first + i < k && mask[first + i] == 1) bits |= 1u << i;
  return bits;
}

// One thread block.
__global__ void __launch_bounds__(kListThreads) list_outliers(const uint8_t *mask, uint64_t k, OutlierList list) {
  uint32_t listed = 0;
  HB_UNROLL_BY(1) for (uint64_t turn = 0; turn < k; turn += kListThreads * kListedTogether) {
    const uint64_t first = turn + threadIdx.x * kListedTogether;
    uint32_t bits = outliers_from(mask, first, k);
    const Running running = count_before(static_cast<uint32_t>(__popc(bits)));
    for (uint32_t at = listed + running.before; bits != 0; at++, bits &= bits - 1)
      list.columns[at] = static_cast<uint32_t>(first) + static_cast<uint32_t>(__ffs(static_cast<int>(bits))) - 1;
    listed += running.total;
  }
  if (threadIdx.x == 0) *list.count = listed;
}

// ── What they add ──

constexpr uint32_t kCorrectedRows = 64, kCorrectedColumns = 64, kCorrectedThreads = 256, kOutliersAtOnce = 16;

struct OutlierTask {
  OutlierList list;
  // Of one dtype, through which upstream rounds the decoded weight too.
  Floats x;
  MutableFloats out;
  const int8_t *b;
  const float *col_stats;
  uint64_t m, n, k;

  __device__ float activation(uint64_t row, uint32_t column) const { return row < m ? x.at(row * k + column) : 0; }

  __device__ float weight(uint64_t row, uint32_t column) const {
    if (row >= n) return 0;
    const float decoded = decode_int8(static_cast<uint8_t>(b[row * k + column]), col_stats[row]);
    return x.dtype == HB_FLOAT16 ? Float16::widen(Float16::narrow(decoded)) : x.dtype == HB_BFLOAT16 ? Bfloat16::widen(Bfloat16::narrow(decoded)) : decoded;
  }

  // The integer part is there, rounded to the dtype, as upstream has it.
  __device__ void add(uint64_t row, uint64_t column, float sum) const {
    if (row >= m || column >= n) return;
    const uint64_t i = row * n + column;
    out.put(i, __fadd_rn(Floats{out.data, out.dtype}.at(i), sum));
  }
};

// out += x[:, listed] · weight[:, listed]ᵀ. Sums run over the columns in ascending order, fused, in f32.
__global__ void __launch_bounds__(kCorrectedThreads, 2) add_outliers(OutlierTask task, uint64_t tiles) {
  // Every thread stages, and computes, so many rows and columns of a tile.
  constexpr uint32_t kEach = 4, kAcross = kCorrectedColumns / kEach, kLines = kCorrectedThreads / kOutliersAtOnce;
  static_assert(kLines * kEach == kCorrectedRows && kLines * kEach == kCorrectedColumns, "a tile is staged at once");
  __shared__ float x[kOutliersAtOnce][kCorrectedRows + 1], weight[kOutliersAtOnce][kCorrectedColumns + 1];
  const uint32_t count = *task.list.count;
  if (count == 0) return;
  const uint32_t staged = threadIdx.x % kOutliersAtOnce, line = threadIdx.x / kOutliersAtOnce;
  const uint32_t row = threadIdx.x / kAcross, column = threadIdx.x % kAcross;
  const uint64_t across = (task.n + kCorrectedColumns - 1) / kCorrectedColumns;
  for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint64_t first_row = tile / across * kCorrectedRows, first_column = tile % across * kCorrectedColumns;
    float sums[kEach][kEach] = {};
    HB_UNROLL_BY(1) for (uint32_t at = 0; at < count; at += kOutliersAtOnce) {
      const bool is_there = at + staged < count;
      const uint32_t outlier = is_there ? task.list.columns[at + staged] : 0;
      HB_UNROLL for (uint32_t i = 0; i < kEach; i++) {
        const uint32_t at_line = line + i * kLines;
        x[staged][at_line] = is_there ? task.activation(first_row + at_line, outlier) : 0;
        weight[staged][at_line] = is_there ? task.weight(first_column + at_line, outlier) : 0;
      }
      __syncthreads();
      const uint32_t here = min(kOutliersAtOnce, count - at);
      HB_UNROLL_BY(1) for (uint32_t k = 0; k < here; k++)
        HB_UNROLL for (uint32_t i = 0; i < kEach; i++)
          HB_UNROLL for (uint32_t j = 0; j < kEach; j++)
            sums[i][j] = __fmaf_rn(x[k][row + i * kAcross], weight[k][column + j * kAcross], sums[i][j]);
      __syncthreads();
    }
    HB_UNROLL for (uint32_t i = 0; i < kEach; i++)
      HB_UNROLL for (uint32_t j = 0; j < kEach; j++)
        task.add(first_row + row + i * kAcross, first_column + column + j * kAcross, sums[i][j]);
  }
}

}  // namespace hb
