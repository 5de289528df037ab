// What the device can do at best, measured in the same run: bytes copied and read, and multiplications of its tensor cores.
#include "../launch.cuh"
#include "bench.h"
#include "operands.h"

namespace hb::bench {

namespace {

constexpr uint32_t kThreads = 512;

template <int kAtOnce>
__global__ void copy_words(const uint4 *from, uint4 *to, uint64_t words) {
  const uint64_t stride = uint64_t{gridDim.x} * blockDim.x * kAtOnce;
  for (uint64_t first = uint64_t{blockIdx.x} * blockDim.x * kAtOnce + threadIdx.x; first < words; first += stride) {
    uint4 held[kAtOnce];
    HB_UNROLL for (int i = 0; i < kAtOnce; i++)
      if (first + i * blockDim.x < words) held[i] = from[first + i * blockDim.x];
    HB_UNROLL for (int i = 0; i < kAtOnce; i++)
      if (first + i * blockDim.x < words) to[first + i * blockDim.x] = held[i];
  }
}

// Writes when the words are what random ones are not, which the compiler cannot know.
template <int kAtOnce>
__global__ void read_words(const uint4 *from, uint4 *to, uint64_t words) {
  uint32_t all = 0;
  const uint64_t stride = uint64_t{gridDim.x} * blockDim.x * kAtOnce;
  for (uint64_t first = uint64_t{blockIdx.x} * blockDim.x * kAtOnce + threadIdx.x; first < words; first += stride) {
    HB_UNROLL for (int i = 0; i < kAtOnce; i++) {
      if (first + i * blockDim.x >= words) continue;
      const uint4 word = from[first + i * blockDim.x];
      all |= word.x ^ word.y ^ word.z ^ word.w;
    }
  }
  if (all == 0) to[0].x = 1;
}

using Mover = void (*)(const uint4 *, uint4 *, uint64_t);

struct Variant {
  Mover kernel;
  int at_once;
};

// The best of every kernel with one wave of blocks and with a block for each piece.
Timing best_of(Bench &bench, const std::vector<Variant> &variants, const Tensor &from, const Tensor &to, int multiprocessors) {
  Timing best = {};
  const uint64_t words = from.bytes() / 16;
  for (const Variant &variant : variants) {
    const uint64_t pieces = (words + kThreads * variant.at_once - 1) / (kThreads * variant.at_once);
    for (const uint64_t blocks : {std::min<uint64_t>(pieces, 4 * multiprocessors), std::min<uint64_t>(pieces, 1u << 30)}) {
      const Timing timing = bench.clock.measure(1, [&](int) {
        launch(variant.kernel, static_cast<uint32_t>(blocks), kThreads, bench.clock.stream(), from.as<const uint4>(), to.as<uint4>(), words);
      });
      if (best.seconds == 0 || timing.seconds < best.seconds) best = timing;
    }
  }
  return best;
}

void run_memory(Bench &bench) {
  const uint64_t bytes = bench.is_tiny ? 1 << 16 : uint64_t{1} << 30;
  const Tensor from(bench.queue, bytes, byte_pattern()), to(bench.queue, bytes);
  const int multiprocessors = bench.queue->traits().multiprocessors;
  if (bench.wants("copy")) {
    const Timing timing = best_of(bench, {{copy_words<1>, 1}, {copy_words<4>, 4}, {copy_words<8>, 8}}, from, to, multiprocessors);
    print({"floor", "copy", "bytes", {bytes}, 2 * bytes}, timing);
  }
  if (bench.wants("read")) {
    const Timing timing = best_of(bench, {{read_words<1>, 1}, {read_words<4>, 4}, {read_words<8>, 8}}, from, to, multiprocessors);
    print({"floor", "read", "bytes", {bytes}, bytes}, timing);
  }
}

// A chain of this many products for each of eight accumulators: latency is hidden, memory is not touched.
constexpr int kProducts = 2048;
constexpr int kChains = 8;

#if !defined(HB_EMULATED)

enum class Operands { float16, bfloat16, int8 };

template <Operands kOperands>
__device__ void multiply(uint32_t (&c)[4], uint32_t a, uint32_t b) {
#if __CUDA_ARCH__ >= 800
  if constexpr (kOperands == Operands::float16)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a), "r"(b));
  else if constexpr (kOperands == Operands::bfloat16)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a), "r"(b));
  else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a), "r"(b));
#endif
}

template <Operands kOperands>
__global__ void multiply_chains(uint32_t *out) {
  uint32_t c[kChains][4] = {};
  // Small numbers in every type: sums stay finite, and bits change as they do in real products.
  const uint32_t a = 0x2c002c00u + threadIdx.x * 0x10001u, b = 0x2c002c00u + blockIdx.x % 256 * 0x10001u;
  for (int i = 0; i < kProducts; i++) {
    HB_UNROLL for (int chain = 0; chain < kChains; chain++) multiply<kOperands>(c[chain], a, b);
  }
  uint32_t all = 0;
  HB_UNROLL for (int chain = 0; chain < kChains; chain++) all ^= c[chain][0] ^ c[chain][1] ^ c[chain][2] ^ c[chain][3];
  if (all == 0x12345678u) out[0] = all;
}

void run_multiplications(Bench &bench) {
  if (bench.queue->traits().capability < 80) return;
  struct Peak {
    const char *name, *dtype;
    void (*kernel)(uint32_t *);
    uint64_t operations;
  };
  const Peak peaks[] = {{"mma float16", "float16", multiply_chains<Operands::float16>, 2 * 16 * 8 * 16},
                        {"mma bfloat16", "bfloat16", multiply_chains<Operands::bfloat16>, 2 * 16 * 8 * 16},
                        {"mma int8", "int8", multiply_chains<Operands::int8>, 2 * 16 * 8 * 32}};
  const Tensor out(bench.queue, 64);
  const uint32_t blocks = 4 * static_cast<uint32_t>(bench.queue->traits().multiprocessors), warps = 8;
  for (const Peak &peak : peaks) {
    if (!bench.wants(peak.name)) continue;
    const Timing timing = bench.clock.measure(1, [&](int) { launch(peak.kernel, blocks, 32 * warps, bench.clock.stream(), out.as<uint32_t>()); });
    print({"floor", peak.name, peak.dtype, {}, 0, peak.operations * blocks * warps * kChains * kProducts}, timing);
  }
}

#else

// The emulated device has no tensor cores.
void run_multiplications(Bench &) {}

#endif

}  // namespace

void run_floors(Bench &bench) {
  run_memory(bench);
  run_multiplications(bench);
}

}  // namespace hb::bench
