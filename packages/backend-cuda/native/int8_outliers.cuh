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

// Of one dtype, through which upstream rounds the decoded weight too.
struct OutlierOperands {
  OutlierList list;
  Floats x;
  const int8_t *b;
  const float *col_stats;
  uint64_t m, n, k;

  __device__ float activation(uint64_t row, uint32_t column) const { return x.at(row * k + column); }

  __device__ float weight(uint64_t row, uint32_t column) const {
    const float decoded = decode_int8(static_cast<uint8_t>(b[row * k + column]), col_stats[row]);
    if (x.dtype == HB_FLOAT32) return decoded;
    return x.dtype == HB_FLOAT16 ? Float16::widen(Float16::narrow(decoded)) : Bfloat16::widen(Bfloat16::narrow(decoded));
  }
};

// The listed columns of both operands side by side, for results of several tiles: an operand has them in a byte or two of each 32 that are read.
struct GatheredOutliers {
  float *x, *weight;
  // Columns there is room for; with more on the list nothing is gathered.
  uint32_t capacity;

  __device__ bool holds(uint32_t count) const { return count <= capacity; }
};

constexpr uint32_t kGatherThreads = 256, kGatheredAtOnce = 16;

// Rows of x, and after them of the weight.
__global__ void __launch_bounds__(kGatherThreads) gather_outliers(OutlierOperands from, GatheredOutliers to) {
  const uint32_t count = *from.list.count, lines = kGatherThreads / kGatheredAtOnce;
  if (!to.holds(count)) return;
  for (uint64_t line = static_cast<uint64_t>(blockIdx.x) * lines + threadIdx.x / kGatheredAtOnce; line < from.m + from.n; line += gridDim.x * lines)
    HB_UNROLL_BY(1) for (uint32_t i = threadIdx.x % kGatheredAtOnce; i < count; i += kGatheredAtOnce) {
      const uint32_t column = from.list.columns[i];
      if (line < from.m) to.x[line * to.capacity + i] = from.activation(line, column);
      else to.weight[(line - from.m) * to.capacity + i] = from.weight(line - from.m, column);
    }
}

constexpr uint32_t kCorrectedRows = 64, kCorrectedColumns = 64, kCorrectedThreads = 256, kOutliersAtOnce = 16;
// Every thread stages, and computes, so many rows and columns of a tile.
constexpr uint32_t kCorrectedEach = 4;

// The next outliers' part of a tile. Four words more than there are rows, for the banks.
struct StagedOutliers {
  alignas(16) float x[kOutliersAtOnce][kCorrectedRows + 4];
  alignas(16) float weight[kOutliersAtOnce][kCorrectedColumns + 4];

  __device__ void stage(const OutlierOperands &from, const GatheredOutliers &gathered, uint32_t at, uint32_t count, uint64_t first_row,
                        uint64_t first_column) {
    constexpr uint32_t kLines = kCorrectedThreads / kOutliersAtOnce;
    static_assert(kLines * kCorrectedEach == kCorrectedRows && kLines * kCorrectedEach == kCorrectedColumns, "a tile is staged at once");
    const uint32_t staged = threadIdx.x % kOutliersAtOnce, outlier = at + staged;
    const bool is_there = outlier < count, is_gathered = gathered.holds(count);
    const uint32_t column = is_there ? from.list.columns[outlier] : 0;
    HB_UNROLL for (uint32_t i = 0; i < kCorrectedEach; i++) {
      const uint32_t line = threadIdx.x / kOutliersAtOnce + i * kLines;
      const uint64_t row_x = first_row + line, row_b = first_column + line;
      float of_x = 0, of_weight = 0;
      if (is_there && row_x < from.m) of_x = is_gathered ? gathered.x[row_x * gathered.capacity + outlier] : from.activation(row_x, column);
      if (is_there && row_b < from.n) of_weight = is_gathered ? gathered.weight[row_b * gathered.capacity + outlier] : from.weight(row_b, column);
      x[staged][line] = of_x;
      weight[staged][line] = of_weight;
    }
  }
};

// out += x[:, listed] · weight[:, listed]ᵀ. The integer part is there, rounded to the dtype, as upstream has it. Sums run over the columns in
// ascending order, fused, in f32.
__global__ void __launch_bounds__(kCorrectedThreads, 2) add_outliers(OutlierOperands from, GatheredOutliers gathered, MutableFloats out,
                                                                     uint64_t tiles) {
  constexpr uint32_t kEach = kCorrectedEach, kAcross = kCorrectedColumns / kEach;
  __shared__ StagedOutliers shared;
  const uint32_t count = *from.list.count;
  if (count == 0) return;
  const uint32_t row = threadIdx.x / kAcross * kEach, column = threadIdx.x % kAcross;
  const uint64_t across = (from.n + kCorrectedColumns - 1) / kCorrectedColumns;
  for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const uint64_t first_row = tile / across * kCorrectedRows, first_column = tile % across * kCorrectedColumns;
    float sums[kEach][kEach] = {};
    HB_UNROLL_BY(1) for (uint32_t at = 0; at < count; at += kOutliersAtOnce) {
      shared.stage(from, gathered, at, count, first_row, first_column);
      __syncthreads();
      const uint32_t here = min(kOutliersAtOnce, count - at);
      HB_UNROLL_BY(1) for (uint32_t k = 0; k < here; k++) {
        const float4 x = *reinterpret_cast<const float4 *>(&shared.x[k][row]);
        const float of_rows[kEach] = {x.x, x.y, x.z, x.w};
        HB_UNROLL for (uint32_t i = 0; i < kEach; i++)
          HB_UNROLL for (uint32_t j = 0; j < kEach; j++) sums[i][j] = __fmaf_rn(of_rows[i], shared.weight[k][column + j * kAcross], sums[i][j]);
      }
      __syncthreads();
    }
    HB_UNROLL for (uint32_t i = 0; i < kEach; i++)
      HB_UNROLL for (uint32_t j = 0; j < kEach; j++) {
        const uint64_t r = first_row + row + i, c = first_column + column + j * kAcross, index = r * from.n + c;
        if (r < from.m && c < from.n) out.put(index, __fadd_rn(Floats{out.data, out.dtype}.at(index), sums[i][j]));
      }
  }
}

}  // namespace hb
