// The product of a 4-bit weight with few rows of 16-bit activations, at the speed of memory: the weight streams through tensor cores.
//
// The weight is their A operand, of which a register holds two neighbouring elements of a row: exactly a byte of codes, so that decoding is one look
// into a table of pairs. Nothing is repacked; instead the tensor core's order of k is a permutation of ours, the same for both operands: in a chunk of
// 64, lane t of a quad holds elements [16t, 16t + 16), 4s .. 4s + 3 of them in step s. Block scales multiply f32 sums, once per chunk.
//
// A thread block computes 64 columns of the output. Its warps share out the chunks, and so do further thread blocks when the weight is short. Each warp
// brings its codes into shared memory by itself, three chunks deep.
#pragma once
#include <type_traits>

#include "activation_window.cuh"
#include "async_copy.cuh"
#include "gemm_4bit.h"
#include "operands.cuh"
#include "pair_table.cuh"
#include "product_tile.cuh"

namespace hb {

constexpr uint32_t kNarrowWarps = 8, kNarrowStages = 3;
// Rows of the weight, in tiles of 16.
constexpr uint32_t kNarrowTiles = 4, kNarrowRows = 16 * kNarrowTiles;
constexpr uint32_t kChunkBytes = kChunk / 2, kStageBytes = kNarrowRows * kChunkBytes;

// The chunks of one warp: pairs of neighbouring ones, 64 bytes of a row, dealt out in turn.
class ChunkShare {
 public:
  __device__ ChunkShare(uint64_t k, uint32_t sharer, uint32_t sharers) : sharer_(sharer), sharers_(sharers) {
    const uint64_t chunks = k / kChunk, pairs = (chunks + 1) / 2;
    const uint64_t mine = sharer < pairs ? (pairs - sharer - 1) / sharers + 1 : 0;
    const bool has_odd_end = mine > 0 && 2 * (sharer + (mine - 1) * sharers) + 1 == chunks;
    count_ = static_cast<uint32_t>(2 * mine - has_odd_end);
  }
  __device__ uint32_t count() const { return count_; }
  // The first element of k in the i-th.
  __device__ uint64_t first(uint32_t i) const { return (2 * (sharer_ + uint64_t{i / 2} * sharers_) + i % 2) * kChunk; }

 private:
  uint32_t sharer_, sharers_, count_;
};

// Sixteen activations of a lane: eight words, two elements in each.
struct ActivationWords {
  uint32_t words[8];

  // Null: there are none, zeros.
  __device__ void load(const uint16_t *x) {
    const uint4 *source = reinterpret_cast<const uint4 *>(x);
    for (uint32_t i = 0; i < 2; i++) {
      const uint4 four = x ? source[i] : uint4{0, 0, 0, 0};
      words[4 * i] = four.x, words[4 * i + 1] = four.y, words[4 * i + 2] = four.z, words[4 * i + 3] = four.w;
    }
  }
};

// The activations of a lane in eight rows of x, as float16 pairs in the order of the B operand, and what the sums of a row are multiplied with.
template <class Element>
class NarrowActivations;

template <>
class NarrowActivations<Float16> {
 public:
  __device__ void load(const uint16_t *x) { next_.load(x); }
  // What was loaded is multiplied now.
  __device__ void enter() { now_ = next_; }
  // Whether something is left for another product, in any lane; and on to it.
  __device__ bool has_more() const { return false; }
  __device__ void advance(const uint16_t *) {}
  __device__ uint32_t word(uint32_t i) const { return now_.words[i]; }
  __device__ float factor(uint32_t) const { return 1; }

 private:
  ActivationWords next_, now_;
};

template <>
class NarrowActivations<Bfloat16> {
 public:
  __device__ void load(const uint16_t *x) { next_.load(x); }
  __device__ void enter() {
    uint32_t largest = 0, smallest = ~0u;
    for (uint32_t i = 0; i < 8; i++) {
      const uint32_t magnitudes = next_.words[i] & 0x7fff7fff;
      largest = __vmaxu2(largest, magnitudes);
      // One less than the magnitude, which makes zeros the largest of all.
      smallest = __vminu2(smallest, (magnitudes + 0x7fff7fff) ^ 0x80008000);
    }
    largest = max(largest & 0xffff, largest >> 16) << 16;
    // The four lanes of a quad hold one row's chunk.
    for (uint32_t apart = 2; apart > 0; apart /= 2) largest = max(largest, __shfl_xor_sync(~0u, largest, apart));
    window_ = ActivationWindow(largest);
    smallest = min(smallest & 0xffff, smallest >> 16);
    has_more_ = __any_sync(~0u, smallest < 0xffff && window_.is_below(__uint_as_float((smallest + 1) << 16))) != 0;
    if (has_more_) take_window(next_);
    else take_all();
  }
  __device__ bool has_more() const { return has_more_; }
  // It is rare and reads its numbers once more, to need no registers for them.
  __device__ void advance(const uint16_t *x) {
    ActivationWords given;
    given.load(x);
    window_.advance();
    take_window(given);
    bool more = false;
    for (uint32_t i = 0; i < 8; i++) more |= window_.is_below(first(given.words[i])) || window_.is_below(second(given.words[i]));
    has_more_ = __any_sync(~0u, more) != 0;
  }
  __device__ uint32_t word(uint32_t i) const { return now_.words[i]; }
  // Of row 2t or 2t + 1 of the eight: what the quad of that row says.
  __device__ float factor(uint32_t i) const {
    return __shfl_sync(~0u, window_.factor(), static_cast<int>(4 * (2 * (threadIdx.x % 4) + i)));
  }

 private:
  static __device__ float first(uint32_t word) { return __uint_as_float(word << 16); }
  static __device__ float second(uint32_t word) { return __uint_as_float(word & 0xffff0000); }

  __device__ void take_all() {
    const float multiplier = window_.multiplier();
    for (uint32_t i = 0; i < 8; i++)
      now_.words[i] = Float16::narrow_pair(__fmul_rn(first(next_.words[i]), multiplier), __fmul_rn(second(next_.words[i]), multiplier));
  }
  __device__ void take_window(const ActivationWords &given) {
    for (uint32_t i = 0; i < 8; i++) now_.words[i] = window_.narrow_pair(first(given.words[i]), second(given.words[i]));
  }

  ActivationWords next_, now_;
  ActivationWindow window_{0};
  bool has_more_ = false;
};

// Shared memory beside the table: for each warp its stages and the scales of two chunks; in the end its sums.
struct NarrowLayout {
  static constexpr uint32_t kScales = 2 * kNarrowRows;
  static constexpr uint32_t kWarpBytes = kNarrowStages * kStageBytes + kScales * 4;
  static_assert(kWarpBytes >= 16 * kNarrowRows * sizeof(float), "sums of 16 rows of x fit");
  static constexpr uint32_t bytes(uint32_t warps) { return warps * kWarpBytes; }
};

// `eights`: rows of x in groups of eight.
template <class Element, uint32_t eights>
class NarrowWarp {
 public:
  using Storage = typename Element::Storage;

  __device__ NarrowWarp(const Product4 &product, uint32_t block_shift, char *shared, const ChunkShare &share, uint64_t first_row)
      : product_(product), block_shift_(block_shift), share_(share), first_row_(first_row) {
    char *mine = shared + threadIdx.x / 32 * NarrowLayout::kWarpBytes;
    stages_ = mine;
    scales_ = reinterpret_cast<float *>(mine + kNarrowStages * kStageBytes);
  }

  // What comes from far is on its way while the table is made.
  __device__ void begin() {
    for (uint32_t i = 0; i + 1 < kNarrowStages; i++) start(i);
    fetch(0);
    unit_ = table_.fill(product_.weight.table);
  }

  // The table is there.
  __device__ void run() {
    HB_UNROLL_BY(1) for (uint32_t i = 0; i < share_.count(); i++) {
      float *const scales = scales_ + i % 2 * kNarrowRows;
      for (uint32_t half = 0; half < 2; half++) scales[lane() + 32 * half] = next_scales_[half];
      HB_UNROLL for (uint32_t e = 0; e < eights; e++) activations_[e].enter();
      await_copies<kNarrowStages - 2>();
      __syncwarp();
      start(i + kNarrowStages - 1);
      fetch(i + 1);
      multiply(i, stages_ + i % kNarrowStages * kStageBytes, scales);
    }
  }

  // Sums in the order [row of x, row of the weight].
  __device__ void store(float *sums) const {
    HB_UNROLL for (uint32_t e = 0; e < eights; e++)
      HB_UNROLL for (uint32_t tile = 0; tile < kNarrowTiles; tile++)
        HB_UNROLL for (uint32_t i = 0; i < 4; i++) {
          const uint32_t row = 16 * tile + lane() / 4 + i / 2 * 8, column = 8 * e + lane() % 4 * 2 + i % 2;
          sums[column * kNarrowRows + row] = sums_[e][tile][i];
        }
  }

 private:
  static __device__ uint32_t lane() { return threadIdx.x % 32; }

  // Codes of the i-th chunk, 16 bytes per lane and turn, on their way; an empty group after the last.
  __device__ void start(uint32_t i) const {
    if (i < share_.count()) {
      char *const stage = stages_ + i % kNarrowStages * kStageBytes;
      HB_UNROLL for (uint32_t turn = 0; turn < kStageBytes / 512; turn++) {
        const uint32_t piece = turn * 32 + lane();
        const uint64_t row = first_row_ + piece / 2;
        copy_async(stage + piece * 16, product_.weight.codes + (row * product_.k + share_.first(i)) / 2 + piece % 2 * 16, row < product_.n);
      }
    }
    end_copy_group();
  }

  // Scales of two rows and the activations of the i-th chunk, into registers.
  __device__ void fetch(uint32_t i) {
    if (i >= share_.count()) return;
    const uint64_t k = share_.first(i);
    for (uint32_t half = 0; half < 2; half++) {
      const uint64_t row = first_row_ + lane() + 32 * half;
      next_scales_[half] = row < product_.n ? product_.weight.scales.at((row * product_.k + k) >> block_shift_) : 0;
    }
    HB_UNROLL for (uint32_t e = 0; e < eights; e++) activations_[e].load(activations_at(e, k));
  }

  // What this lane multiplies of a chunk; null: its row is not there.
  __device__ const Storage *activations_at(uint32_t e, uint64_t k) const {
    const uint64_t row = 8 * e + lane() / 4;
    return row < product_.m ? static_cast<const Storage *>(product_.x) + row * product_.k + k + lane() % 4 * 16 : nullptr;
  }

  __device__ void multiply(uint32_t i, const char *codes, const float *scales) {
    bool more;
    HB_UNROLL_BY(1) do {
      float factors[eights][2];
      HB_UNROLL for (uint32_t e = 0; e < eights; e++)
        for (uint32_t column = 0; column < 2; column++) factors[e][column] = __fmul_rn(activations_[e].factor(column), unit_);
      HB_UNROLL for (uint32_t tile = 0; tile < kNarrowTiles; tile++) multiply_tile(tile, codes, scales, factors);
      more = false;
      HB_UNROLL for (uint32_t e = 0; e < eights; e++) more |= activations_[e].has_more();
      if (!more) continue;
      HB_UNROLL for (uint32_t e = 0; e < eights; e++) activations_[e].advance(activations_at(e, share_.first(i)));
      // Or the decoded codes would be kept in registers from one turn to the next.
      __syncwarp();
    } while (more);
  }

  __device__ void multiply_tile(uint32_t tile, const char *codes, const float *scales, const float (&factors)[eights][2]) {
    const uint32_t row = 16 * tile + lane() / 4;
    const char *const mine = codes + row * kChunkBytes + lane() % 4 * 8;
    const uint2 upper = *reinterpret_cast<const uint2 *>(mine), lower = *reinterpret_cast<const uint2 *>(mine + 8 * kChunkBytes);
    float part[eights][4] = {};
    HB_UNROLL for (uint32_t step = 0; step < 4; step++) {
      const uint32_t above = step < 2 ? upper.x : upper.y, below = step < 2 ? lower.x : lower.y, byte = 2 * (step % 2);
      const uint32_t a[4] = {table_.at(above, byte), table_.at(below, byte), table_.at(above, byte + 1), table_.at(below, byte + 1)};
      HB_UNROLL for (uint32_t e = 0; e < eights; e++) {
        const uint32_t b[2] = {activations_[e].word(2 * step), activations_[e].word(2 * step + 1)};
        Float16Mma::multiply(part[e], a, b);
      }
    }
    const float scale[2] = {scales[row], scales[row + 8]};
    HB_UNROLL for (uint32_t e = 0; e < eights; e++)
      HB_UNROLL for (uint32_t i = 0; i < 4; i++) sums_[e][tile][i] = __fmaf_rn(__fmul_rn(part[e][i], scale[i / 2]), factors[e][i % 2], sums_[e][tile][i]);
  }

  const Product4 &product_;
  const uint32_t block_shift_;
  const PairTable table_;
  const ChunkShare share_;
  const uint64_t first_row_;
  char *stages_;
  float *scales_;
  float unit_ = 1, next_scales_[2] = {};
  NarrowActivations<Element> activations_[eights];
  float sums_[eights][kNarrowTiles][4] = {};
};

// Thread blocks that a multiprocessor holds at once.
template <uint32_t eights>
constexpr uint32_t kNarrowBlocks = eights == 1 ? 2 : 1;
// What the compiler is told of it: with bfloat16 it takes few registers only when it is told nothing.
template <class Element, uint32_t eights>
constexpr uint32_t kNarrowBlocksTold = std::is_same_v<Element, Bfloat16> && eights == 1 ? 0 : kNarrowBlocks<eights>;

// Grid: tiles of 64 columns, splits of k. Needs k a multiple of 64, and blocks of 2^block_shift >= 64.
template <class Element, uint32_t eights>
__global__ void __launch_bounds__(32 * kNarrowWarps, kNarrowBlocksTold<Element, eights>)
    gemm_4bit_narrow(Product4 product, uint32_t block_shift, SplitSum split) {
  if (kCompiledCapability < Float16Mma::kCapability) return;
  HB_DYNAMIC_SHARED(shared);
  const uint32_t warps = blockDim.x / 32, warp = threadIdx.x / 32;
  constexpr uint32_t size = 8 * eights * kNarrowRows;
  const ChunkShare share(product.k, blockIdx.y * warps + warp, split.splits * warps);
  NarrowWarp<Element, eights> mine(product, block_shift, shared, share, blockIdx.x * uint64_t{kNarrowRows});
  mine.begin();
  __syncthreads();
  mine.run();
  __syncthreads();
  // The stages have served.
  float *const sums = reinterpret_cast<float *>(shared);
  mine.store(sums + warp * size);
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) {
    float sum = 0;
    for (uint32_t w = 0; w < warps; w++) sum = __fadd_rn(sum, sums[w * size + i]);
    sums[i] = sum;
  }
  __syncthreads();
  finish_tile(product, split, {blockIdx.x, blockIdx.y, 0, blockIdx.x * uint64_t{kNarrowRows}, kNarrowRows, size}, sums);
}

}  // namespace hb
