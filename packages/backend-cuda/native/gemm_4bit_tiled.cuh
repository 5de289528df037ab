// The product of a 4-bit weight with many rows of 16-bit activations: tiles of 64 rows of x by 32 rows of the weight for each warp, decoded on the way
// into the tensor cores as in gemm_4bit_narrow.cuh. Activations are float16 in memory; bfloat16 ones are brought into that form first.
#pragma once
#include "activation_window.cuh"
#include "async_copy.cuh"
#include "gemm_4bit_narrow.cuh"
#include "product_tile.cuh"

namespace hb {

constexpr uint32_t kTiledWarps = 8, kTiledEights = 8, kTiledHeight = 8 * kTiledEights, kTiledWarpRows = 32;
constexpr uint32_t kActivationBytes = kChunk * 2;

// float16 activations [m, k] and what the sums of each row's chunk are multiplied with; null: 1. A factor below zero says that the chunk has numbers
// beyond its first window.
struct Activations16 {
  const uint16_t *values;
  const float *factors;
};

// bfloat16 activations to windows of float16. A warp per row and chunk.
__global__ void __launch_bounds__(256) prepare_activations(const uint16_t *x, uint64_t chunks, uint16_t *values, float *factors) {
  const uint32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (uint64_t i = static_cast<uint64_t>(blockIdx.x) * warps + threadIdx.x / 32; i < chunks; i += static_cast<uint64_t>(gridDim.x) * warps) {
    const uint32_t word = reinterpret_cast<const uint32_t *>(x)[i * (kChunk / 2) + lane];
    const float first = __uint_as_float(word << 16), second = __uint_as_float(word & 0xffff0000);
    uint32_t largest = max(__float_as_uint(first) & 0x7fffffff, __float_as_uint(second) & 0x7fffffff);
    for (uint32_t apart = 16; apart > 0; apart /= 2) largest = max(largest, __shfl_xor_sync(~0u, largest, apart));
    const ActivationWindow window(largest);
    reinterpret_cast<uint32_t *>(values)[i * (kChunk / 2) + lane] = window.narrow_pair(first, second);
    const bool has_more = __any_sync(~0u, window.is_below(first) || window.is_below(second));
    if (lane == 0) factors[i] = has_more ? -window.factor() : window.factor();
  }
}

// Shared memory beside the table: stages of codes and activations, and twice the scales, the factors (times the table's) and the windows of a chunk; in the end
// the sums.
struct TiledLayout {
  uint32_t rows, stages;

  explicit __host__ __device__ TiledLayout(uint32_t warps, uint32_t stage_count) : rows(kTiledWarpRows * warps), stages(stage_count) {}
  __host__ __device__ uint32_t code_bytes() const { return rows * kChunkBytes; }
  __host__ __device__ uint32_t stage_bytes() const { return code_bytes() + kTiledHeight * kActivationBytes; }
  __host__ __device__ uint32_t numbers() const { return rows + 2 * kTiledHeight; }
  __host__ __device__ uint32_t bytes() const {
    const uint32_t used = stages * stage_bytes() + 2 * numbers() * 4, sums = rows * kTiledHeight * 4;
    return used > sums ? used : sums;
  }
};

// A row of activations is eight pieces of 16 bytes. Exchanging neighbours in odd rows lets two rows be read at once.
__device__ inline uint32_t piece_at(uint32_t row, uint32_t piece) { return row * kActivationBytes + (piece ^ (row & 1)) * 16; }

class TiledBlock {
 public:
  __device__ TiledBlock(const Product4 &product, const Activations16 &x, uint32_t block_shift, const TiledLayout &layout, char *shared)
      : product_(product), x_(x), block_shift_(block_shift), layout_(layout), first_row_(blockIdx.x * uint64_t{kTiledHeight}),
        first_column_(blockIdx.y * uint64_t{layout.rows}), stages_(shared),
        numbers_(reinterpret_cast<float *>(stages_ + layout.stages * layout.stage_bytes())) {}

  // Chunks [begin, end) of k.
  __device__ void run(uint64_t begin, uint64_t end) {
    for (uint32_t i = 0; i + 1 < layout_.stages; i++) start(begin + i, i, end);
    fetch(begin, end);
    unit_ = table_.fill(product_.weight.table);
    // The barrier of the first chunk is the table's too.
    uint32_t slot = 0;
    for (uint64_t chunk = begin; chunk < end; chunk++) {
      float *const numbers = numbers_ + chunk % 2 * layout_.numbers();
      const bool has_more = put_numbers(numbers);
      if (layout_.stages > 3) await_copies<2>();
      else if (layout_.stages > 2) await_copies<1>();
      else await_copies<0>();
      const bool more = __syncthreads_or(has_more) != 0;
      start(chunk + layout_.stages - 1, slot == 0 ? layout_.stages - 1 : slot - 1, end);
      fetch(chunk + 1, end);
      char *const stage = stages_ + slot * layout_.stage_bytes();
      multiply(stage, numbers);
      if (more) multiply_rest(chunk, stage, numbers);
      slot = slot + 1 == layout_.stages ? 0 : slot + 1;
    }
  }

  // Sums in the order [row of x, row of the weight].
  __device__ void store(float *sums) const {
    HB_UNROLL for (uint32_t e = 0; e < kTiledEights; e++)
      HB_UNROLL for (uint32_t tile = 0; tile < 2; tile++)
        HB_UNROLL for (uint32_t i = 0; i < 4; i++)
          sums[(8 * e + lane() % 4 * 2 + i % 2) * layout_.rows + my_row(tile) + i / 2 * 8] = sums_[e][tile][i];
  }

 private:
  static __device__ uint32_t lane() { return threadIdx.x % 32; }
  static __device__ uint32_t my_row(uint32_t tile) { return threadIdx.x / 32 * kTiledWarpRows + 16 * tile + lane() / 4; }

  // Codes and activations of a chunk on their way; an empty group after the last.
  __device__ void start(uint64_t chunk, uint32_t slot, uint64_t end) const {
    if (chunk < end) {
      char *const stage = stages_ + slot * layout_.stage_bytes();
      for (uint32_t piece = threadIdx.x; piece < 2 * layout_.rows; piece += blockDim.x) {
        const uint64_t row = first_column_ + piece / 2;
        copy_async(stage + piece * 16, product_.weight.codes + (row * product_.k + chunk * kChunk) / 2 + piece % 2 * 16, row < product_.n);
      }
      char *const activations = stage + layout_.code_bytes();
      for (uint32_t piece = threadIdx.x; piece < 8 * kTiledHeight; piece += blockDim.x) {
        const uint64_t row = first_row_ + piece / 8;
        copy_async(activations + piece_at(piece / 8, piece % 8), x_.values + row * product_.k + chunk * kChunk + piece % 8 * 8, row < product_.m);
      }
    }
    end_copy_group();
  }

  // Scales and factors of a chunk into registers: a row of the weight for every thread, a row of x for the first.
  __device__ void fetch(uint64_t chunk, uint64_t end) {
    if (chunk >= end) return;
    const uint64_t row = first_column_ + threadIdx.x, of_x = first_row_ + threadIdx.x;
    next_scale_ = row < product_.n ? product_.weight.scales.at((row * product_.k + chunk * kChunk) >> block_shift_) : 0;
    if (threadIdx.x >= kTiledHeight) return;
    next_factor_ = of_x >= product_.m ? 0 : x_.factors ? x_.factors[of_x * (product_.k / kChunk) + chunk] : 1;
  }

  // Into shared memory. Whether a row of x has more than its first window.
  __device__ bool put_numbers(float *numbers) const {
    numbers[threadIdx.x] = next_scale_;
    if (threadIdx.x >= kTiledHeight) return false;
    numbers[layout_.rows + threadIdx.x] = __fmul_rn(fabsf(next_factor_), unit_);
    numbers[layout_.rows + kTiledHeight + threadIdx.x] = fabsf(next_factor_);
    return next_factor_ < 0;
  }

  // The A operand of a tile for the four steps of a chunk, and its scales.
  struct DecodedTile {
    uint32_t a[4][4];
    float scale[2];
  };

  __device__ void decode(uint32_t tile, const char *codes, const float *numbers, DecodedTile &out) const {
    const uint32_t row = my_row(tile);
    const char *const mine = codes + row * kChunkBytes + lane() % 4 * 8;
    const uint2 upper = *reinterpret_cast<const uint2 *>(mine), lower = *reinterpret_cast<const uint2 *>(mine + 8 * kChunkBytes);
    HB_UNROLL for (uint32_t step = 0; step < 4; step++) {
      const uint32_t above = step < 2 ? upper.x : upper.y, below = step < 2 ? lower.x : lower.y, byte = 2 * (step % 2);
      out.a[step][0] = table_.at(above, byte), out.a[step][1] = table_.at(below, byte);
      out.a[step][2] = table_.at(above, byte + 1), out.a[step][3] = table_.at(below, byte + 1);
    }
    out.scale[0] = numbers[row], out.scale[1] = numbers[row + 8];
  }

  // Eight rows of x at a time, so that few of their words are in registers.
  __device__ void multiply(const char *stage, const float *numbers) {
    DecodedTile tiles[2];
    HB_UNROLL for (uint32_t tile = 0; tile < 2; tile++) decode(tile, stage, numbers, tiles[tile]);
    HB_UNROLL for (uint32_t e = 0; e < kTiledEights; e++) {
      const char *const x = stage + layout_.code_bytes();
      const uint32_t row = 8 * e + lane() / 4, piece = lane() % 4 * 2;
      const uint4 first = *reinterpret_cast<const uint4 *>(x + piece_at(row, piece)), second = *reinterpret_cast<const uint4 *>(x + piece_at(row, piece + 1));
      const uint32_t b[4][2] = {{first.x, first.y}, {first.z, first.w}, {second.x, second.y}, {second.z, second.w}};
      const float *const factor = numbers + layout_.rows + 8 * e + lane() % 4 * 2;
      HB_UNROLL for (uint32_t tile = 0; tile < 2; tile++) {
        float part[4] = {};
        HB_UNROLL for (uint32_t step = 0; step < 4; step++) Float16Mma::multiply(part, tiles[tile].a[step], b[step]);
        HB_UNROLL for (uint32_t i = 0; i < 4; i++)
          sums_[e][tile][i] = __fmaf_rn(__fmul_rn(part[i], tiles[tile].scale[i / 2]), factor[i % 2], sums_[e][tile][i]);
      }
    }
  }

  // The further windows of a chunk: the stage's activations and factors are replaced by theirs.
  __device__ void multiply_rest(uint64_t chunk, char *stage, float *numbers) {
    const uint16_t *const x = static_cast<const uint16_t *>(product_.x) + chunk * kChunk;
    for (;;) {
      bool more = false;
      __syncthreads();
      // The factors of the window before tell what comes next, so that they are replaced last.
      for (uint32_t row = threadIdx.x / 32; row < kTiledHeight; row += blockDim.x / 32) more |= put_window(x, row, stage + layout_.code_bytes(), numbers);
      const bool again = __syncthreads_or(more) != 0;
      multiply(stage, numbers);
      if (!again) return;
    }
  }

  // A warp puts the next window of a row into the stage. Whether one more follows.
  __device__ bool put_window(const uint16_t *x, uint32_t row, char *activations, float *numbers) const {
    float *const factor = numbers + layout_.rows + row, *const window_factor = factor + kTiledHeight;
    ActivationWindow window = ActivationWindow::first_with(*window_factor);
    __syncwarp();
    window.advance();
    if (lane() == 0) *window_factor = window.factor(), *factor = __fmul_rn(window.factor(), unit_);
    if (first_row_ + row >= product_.m) return false;
    const uint32_t word = reinterpret_cast<const uint32_t *>(x + (first_row_ + row) * product_.k)[lane()];
    const float first = __uint_as_float(word << 16), second = __uint_as_float(word & 0xffff0000);
    *reinterpret_cast<uint32_t *>(activations + piece_at(row, lane() / 4) + lane() % 4 * 4) = window.narrow_pair(first, second);
    return window.is_below(first) || window.is_below(second);
  }

  const Product4 &product_;
  const Activations16 &x_;
  const uint32_t block_shift_;
  const TiledLayout layout_;
  const PairTable table_;
  const uint64_t first_row_, first_column_;
  char *const stages_;
  float *const numbers_;
  float unit_ = 1, next_scale_ = 0, next_factor_ = 0;
  float sums_[kTiledEights][2][4] = {};
};

// Grid: 64 rows of x, 32 rows of the weight for each warp, splits of k. Needs k a multiple of 64, and blocks of 2^block_shift >= 64; two to four stages.
__global__ void __launch_bounds__(32 * kTiledWarps) gemm_4bit_tiled(Product4 product, Activations16 x, uint32_t block_shift, SplitSum split, uint32_t stages) {
  if (kCompiledCapability < Float16Mma::kCapability) return;
  HB_DYNAMIC_SHARED(shared);
  const TiledLayout layout(blockDim.x / 32, stages);
  TiledBlock block(product, x, block_shift, layout, shared);
  const uint64_t chunks = product.k / kChunk, share = (chunks + split.splits - 1) / split.splits, begin = min(blockIdx.z * share, chunks);
  block.run(begin, min(begin + share, chunks));
  __syncthreads();
  float *const sums = reinterpret_cast<float *>(shared);
  block.store(sums);
  __syncthreads();
  const ProductTile at = {blockIdx.y * uint64_t{gridDim.x} + blockIdx.x, blockIdx.z, blockIdx.x * uint64_t{kTiledHeight}, blockIdx.y * uint64_t{layout.rows},
                          layout.rows,  layout.rows * kTiledHeight};
  finish_tile(product, split, at, sums);
}

}  // namespace hb
