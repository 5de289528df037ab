// Speed of every entry of a SIMD table at 4096 × 4096 in blocks of 64 (256 for 8 bits), one thread, beside floors measured in the same run. Medians of
// thread time. "cold" rotates over 40 copies of the weight (378 MB), so that each comes from memory.
// Usage: taskset -c 0 simd_bench [avx512|avx2|scalar]
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "halfbyte_formats.h"
#include "../kernels.h"
#include "../packed_int8.h"
#include "../tables.h"
#include "bench.h"

using namespace hb;

namespace {

constexpr uint64_t side = 4096, elements = side * side, copies = 40;

void line(const char *name, double seconds, double bytes, double operations = 0, double target = 0) {
  std::printf("%-44s %10.1f us %8.1f GB/s", name, seconds * 1e6, bytes / seconds * 1e-9);
  if (operations > 0) std::printf(" %8.1f GFLOP/s", operations / seconds * 1e-9);
  if (target > 0) std::printf("   target %.1f us", target * 1e6);
  std::printf("\n");
  std::fflush(stdout);
}

__attribute__((target("avx2"))) void stream_all(void *data, uint64_t bytes) {
  const __m256i one = _mm256_set1_epi32(1);
  for (uint64_t i = 0; i < bytes; i += 32) _mm256_stream_si256(reinterpret_cast<__m256i *>(static_cast<char *>(data) + i), one);
  _mm_sfence();
}

/// 24 independent accumulators, as many as the kernels have: instructions per second of vpdpbusd and of vfmadd.
#define HB_EACH24(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define HB_DOT(i) s##i = _mm512_dpbusd_epi32(s##i, a, b);
#define HB_ZERO(i) __m512i s##i = _mm512_setzero_si512();
#define HB_SEEN(i) asm volatile("" : "+v"(s##i));
#define HB_FMA(i) f##i = _mm512_fmadd_ps(a, b, f##i);
#define HB_FZERO(i) __m512 f##i = _mm512_setzero_ps();
#define HB_FSEEN(i) asm volatile("" : "+v"(f##i));
__attribute__((target("avx512f,avx512vnni"))) void int8_peak(int repetitions) {
  __m512i a = _mm512_setzero_si512(), b = a;
  HB_EACH24(HB_ZERO)
  for (int r = 0; r < repetitions; r++) {
    HB_EACH24(HB_DOT)
    HB_EACH24(HB_SEEN)
  }
}
__attribute__((target("avx512f"))) void fma_peak(int repetitions) {
  __m512 a = _mm512_setzero_ps(), b = a;
  HB_EACH24(HB_FZERO)
  for (int r = 0; r < repetitions; r++) {
    HB_EACH24(HB_FMA)
    HB_EACH24(HB_FSEEN)
  }
}

const float (&nf4)[16] = HB_NF4_CODE;
const float fp4[16] = {0.0f, 0.0052083333f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f, 0.25f,
                       -0.0f, -0.0052083333f, -0.6666667f, -1.0f, -0.33333334f, -0.5f, -0.16666667f, -0.25f};

}  // namespace

int main(int argc, char **argv) {
  const bool avx2 = argc > 1 && !std::strcmp(argv[1], "avx2"), scalar = argc > 1 && !std::strcmp(argv[1], "scalar");
  const Kernels &k = scalar ? scalar_kernels : avx2 ? avx2_kernels : avx512_kernels;
  std::printf("%s, 4096 x 4096, block 64, one thread\n", k.isa);
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  const uint64_t code_bytes = elements / 2, blocks = elements / 64;
  float *const values = pages<float>(elements);
  float *const wide = pages<float>(elements);
  uint8_t *const codes = pages<uint8_t>(code_bytes * copies);
  float *const absmax = pages<float>(blocks * copies);
  uint8_t *const codes8 = pages<uint8_t>(elements);
  uint16_t *const halves = pages<uint16_t>(elements);
  for (uint64_t i = 0; i < elements; i++) values[i] = normal(engine) * 0.02f;
  for (uint64_t i = 0; i < elements; i++) {
    uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    halves[i] = uint16_t(bits >> 16);
  }
  const double code_traffic = double(code_bytes + blocks * 4);
  const Format4 nf = make_format4(nf4, HB_NF4), fp = make_format4(fp4, HB_FP4);

  line("floor: read 64 MiB", median(9, [&](int) { sink = read_all(values, elements * 4); }), double(elements * 4));
  if (&k == &avx512_kernels) {
    constexpr int turns = 200000;
    line("peak: vpdpbusd", median(9, [&](int) { int8_peak(turns); }), 0, 128.0 * 24 * turns);
    line("peak: vfmadd", median(9, [&](int) { fma_peak(turns); }), 0, 32.0 * 24 * turns);
  }
  line("floor: stream 64 MiB", median(9, [&](int) { stream_all(wide, elements * 4); }), double(elements * 4));
  const auto quantize4 = [&](const Format4 &format, Floats x, const char *name, double traffic) {
    if (k.quantize_4bit) line(name, median(9, [&](int) { k.quantize_4bit(x, elements, format, 64, HB_REFERENCE, true, 0, blocks, codes, absmax); }), traffic);
  };
  quantize4(fp, {values, HB_FLOAT32}, "quantize_4bit fp4 f32", elements * 4.0 + code_traffic);
  quantize4(nf, {halves, HB_BFLOAT16}, "quantize_4bit nf4 bf16", elements * 2.0 + code_traffic);
  quantize4(nf, {values, HB_FLOAT32}, "quantize_4bit nf4 f32", elements * 4.0 + code_traffic);
  if (!k.quantize_4bit) scalar_kernels.quantize_4bit({values, HB_FLOAT32}, elements, nf, 64, HB_REFERENCE, false, 0, blocks, codes, absmax);
  for (uint64_t c = 1; c < copies; c++) {
    std::memcpy(codes + c * code_bytes, codes, code_bytes);
    std::memcpy(absmax + c * blocks, absmax, blocks * 4);
  }
  const auto dequantize4 = [&](hb_dtype dtype, const char *name, double traffic) {
    if (k.dequantize_4bit) line(name, median(9, [&](int) { k.dequantize_4bit(codes, absmax, nf4, elements, 64, 0, blocks, {wide, dtype}); }), traffic);
  };
  dequantize4(HB_FLOAT32, "dequantize_4bit f32", elements * 4.0 + code_traffic);
  dequantize4(HB_FLOAT16, "dequantize_4bit f16", elements * 2.0 + code_traffic);
  dequantize4(HB_BFLOAT16, "dequantize_4bit bf16", elements * 2.0 + code_traffic);

  float code[256];
  int count = 0;
  for (int i = 0; i < 7; i++)
    for (int j = 0; j < 1 << i; j++) {
      const float value = float(std::pow(10, i - 6) * (0.1 + 0.9 * (j + 0.5) / (1 << i)));
      code[count++] = value;
      code[count++] = -value;
    }
  code[count++] = 0;
  code[count++] = 1;
  std::sort(code, code + 256);
  const Map8 map = make_map8(code);
  const uint64_t blocks8 = elements / 256;
  std::vector<float> absmax8(blocks8, 1.0f);
  if (k.quantize_blockwise)
    line("quantize_blockwise f32", median(5, [&](int) { k.quantize_blockwise({values, HB_FLOAT32}, elements, map, 256, HB_REFERENCE, true, 0, blocks8, codes8, absmax8.data()); }), elements * 5.0);
  else for (uint64_t i = 0; i < elements; i++) codes8[i] = uint8_t(engine());
  if (k.dequantize_blockwise) {
    line("dequantize_blockwise f32", median(9, [&](int) { k.dequantize_blockwise(codes8, absmax8.data(), code, elements, 256, 0, 0, elements, {wide, HB_FLOAT32}); }), elements * 5.0);
    line("dequantize_blockwise bf16", median(9, [&](int) { k.dequantize_blockwise(codes8, absmax8.data(), code, elements, 256, 0, 0, elements, {wide, HB_BFLOAT16}); }), elements * 3.0);
  }

  hb_step step = {};
  step.lr = 1e-3, step.beta1 = 0.9, step.beta2 = 0.999, step.beta3 = 0.9999, step.alpha = 5, step.eps = 1e-8, step.grad_scale = 1;
  if (k.optimizer_8bit) {
    float unsigned_code[256] = {0};
    int at = 1;
    for (int i = 0; i < 7; i++)
      for (int j = 0; j < 2 << i; j++) unsigned_code[at++] = float(std::pow(10, i - 6) * (0.1 + 0.9 * (j + 0.5) / (2 << i)));
    unsigned_code[255] = 1;
    const Map8 second = make_map8(unsigned_code);
    std::vector<float> second_absmax(blocks8, 1e-6f), first_absmax(2 * blocks8, 1e-3f);
    const auto adam = [&](const char *name, hb_optimizer optimizer, hb_profile profile, hb_dtype dtype, double target, double traffic) {
      for (uint64_t i = 0; i < 2 * elements; i++) codes[i] = uint8_t(127 + i % 3);
      std::memset(codes8, 10, elements);
      const Floats grad = {dtype == HB_FLOAT32 ? static_cast<void *>(values) : halves, dtype};
      const auto run = [&](int i) {
        step.step = i + 1;
        k.optimizer_8bit(optimizer, step, profile, elements, 256, 0, blocks8, {wide, dtype}, grad, codes, codes8, map, &second, first_absmax.data(), second_absmax.data());
      };
      line(name, median(9, run), elements * traffic, 0, &k == &avx512_kernels ? target : 0);
    };
    adam("optimizer_8bit adam f32", HB_ADAM, HB_REFERENCE, HB_FLOAT32, 12.9e-3, 16);
    adam("optimizer_8bit adam bf16", HB_ADAM, HB_REFERENCE, HB_BFLOAT16, 0, 10);
    adam("optimizer_8bit adam f32 cuda", HB_ADAM, HB_CUDA, HB_FLOAT32, 0, 16);
    adam("optimizer_8bit ademamix f32", HB_ADEMAMIX, HB_REFERENCE, HB_FLOAT32, 0, 18);
    adam("optimizer_8bit lion f32", HB_LION, HB_REFERENCE, HB_FLOAT32, 0, 14);
  }
  if (k.optimizer_32bit) {
    float *const first = pages<float>(elements), *const second = pages<float>(elements);
    double norms[2] = {};
    const auto adam = [&](hb_dtype dtype, double *sums) {
      const Floats grad = {dtype == HB_FLOAT32 ? static_cast<void *>(values) : halves, dtype};
      return [=, &k, &step](int i) {
        step.step = i + 1;
        k.optimizer_32bit(HB_ADAM, step, HB_REFERENCE, 1, elements, 0, elements, {wide, dtype}, grad, first, second, sums, sums ? sums + 1 : nullptr);
      };
    };
    line("optimizer_32bit adam f32", median(5, adam(HB_FLOAT32, nullptr)), elements * 28.0);
    line("optimizer_32bit adam bf16", median(5, adam(HB_BFLOAT16, nullptr)), elements * 22.0);
    line("optimizer_32bit adam f32, norms", median(5, adam(HB_FLOAT32, norms)), elements * 16.0);
  }

  float *const out = wide;
  const auto copy = [&](int i) { return uint64_t(i) % copies; };
  line("floor: read one weight, warm", median(41, [&](int) { sink = read_all(codes, code_bytes) | read_all(absmax, blocks * 4); }), code_traffic);
  line("floor: read one weight, cold", median(81, [&](int i) { sink = read_all(codes + copy(i) * code_bytes, code_bytes) | read_all(absmax + copy(i) * blocks, blocks * 4); }), code_traffic);
  if (k.gemm_4bit) {
    const auto product = [&](uint64_t m, int i) {
      k.gemm_4bit(values, codes + copy(i) * code_bytes, absmax + copy(i) * blocks, nf4, 64, nullptr, m, side, side, 0, side, {out, HB_FLOAT32});
    };
    line("gemm_4bit m=1 warm", median(41, [&](int) { product(1, 0); }), code_traffic);
    line("gemm_4bit m=1 cold", median(81, [&](int i) { product(1, i); }), code_traffic);
    for (const uint64_t m : {2, 4, 5, 8, 16, 32, 128, 512}) {
      char name[48];
      std::snprintf(name, sizeof name, "gemm_4bit m=%llu", static_cast<unsigned long long>(m));
      line(name, median(m < 128 ? 11 : 3, [&](int) { product(m, 0); }), code_traffic, 2.0 * double(elements * m));
    }
  }
  if (k.gemm) {
    for (const uint64_t m : {1, 4, 8, 12, 16, 32, 128, 512}) {
      char name[48];
      std::snprintf(name, sizeof name, "gemm f32 m=%llu", static_cast<unsigned long long>(m));
      line(name, median(m < 128 ? 9 : 3, [&](int) { k.gemm(values, {values, HB_FLOAT32}, nullptr, m, side, side, 0, side, {out, HB_FLOAT32}); }), elements * 4.0, 2.0 * double(elements * m));
    }
    line("gemm bf16 m=1", median(9, [&](int) { k.gemm(values, {halves, HB_BFLOAT16}, nullptr, 1, side, side, 0, side, {out, HB_FLOAT32}); }), elements * 2.0);
    line("gemm bf16 m=128", median(3, [&](int) { k.gemm(values, {halves, HB_BFLOAT16}, nullptr, 128, side, side, 0, side, {out, HB_FLOAT32}); }), elements * 2.0, 256.0 * elements);
  }
  if (k.int8_matmul) {
    const int8_t *const b = reinterpret_cast<int8_t *>(codes8);
    const int8_t *const a = reinterpret_cast<int8_t *>(codes);
    for (const uint64_t m : {1, 4, 16, 128, 512}) {
      char name[48];
      std::snprintf(name, sizeof name, "int8_matmul m=%llu", static_cast<unsigned long long>(m));
      line(name, median(m < 128 ? 11 : 3, [&](int) { k.int8_matmul(a, b, m, side, side, reinterpret_cast<int32_t *>(out), side); }), double(elements), 2.0 * double(elements * m));
    }
  }
  if (k.int8_matmul_packed) {
    const int8_t *const b = reinterpret_cast<int8_t *>(codes8);
    const int8_t *const a = reinterpret_cast<int8_t *>(codes);
    const PackedInt8 shape{side, side};
    uint8_t *const packed = pages<uint8_t>(shape.bytes());
    line("pack_int8", median(3, [&](int) { pack_int8(b, shape, 0, shape.panels(), packed); }), 2.0 * elements);
    for (const uint64_t m : {1, 4, 8, 16, 128, 512}) {
      char name[48];
      std::snprintf(name, sizeof name, "int8_matmul_packed m=%llu", static_cast<unsigned long long>(m));
      line(name, median(m < 128 ? 21 : 7, [&](int) { k.int8_matmul_packed(a, packed, m, side, side, 0, side, reinterpret_cast<int32_t *>(out), side); }), double(elements), 2.0 * double(elements * m));
    }
  }
  if (k.measure_segment) {
    // Decoded values that stay in L1, as in the operation.
    float figures[HB_ERROR_COLUMNS];
    const auto measure = [&](Floats x, const char *name, double traffic) {
      line(name, median(9, [&](int) {
             for (uint64_t i = 0; i < elements; i += HB_ERROR_SEGMENT) k.measure_segment(x, i, HB_ERROR_SEGMENT, wide, figures);
           }), traffic);
    };
    measure({values, HB_FLOAT32}, "measure_segment f32", elements * 4.0);
    measure({halves, HB_BFLOAT16}, "measure_segment bf16", elements * 2.0);
  }
  if (k.gemm_transposed) {
    for (const uint64_t m : {1, 2, 16, 128}) {
      char name[48];
      std::snprintf(name, sizeof name, "gemm_transposed f32 m=%llu", static_cast<unsigned long long>(m));
      line(name, median(m < 128 ? 9 : 3, [&](int) { k.gemm_transposed(values, {values, HB_FLOAT32}, nullptr, m, side, side, 0, m, {out, HB_FLOAT32}); }), elements * 4.0, 2.0 * double(elements * m));
    }
    line("gemm_transposed bf16 m=1", median(9, [&](int) { k.gemm_transposed(values, {halves, HB_BFLOAT16}, nullptr, 1, side, side, 0, 1, {out, HB_FLOAT32}); }), elements * 2.0);
  }
  if (k.int8_row_dequant) {
    std::vector<float> stats(side, 0.5f);
    const int8_t *const q = reinterpret_cast<int8_t *>(codes8);
    const int32_t *const sums = reinterpret_cast<int32_t *>(values);
    line("int8_row_dequant f32", median(9, [&](int) { k.int8_row_dequant(q, stats.data(), side, 0, side, out); }), elements * 5.0);
    line("int8_mm_dequant f32", median(9, [&](int) { k.int8_mm_dequant(sums, stats.data(), stats.data(), nullptr, false, side, HB_REFERENCE, 0, side, {out, HB_FLOAT32}); }), elements * 8.0);
    line("int8_mm_dequant f16", median(9, [&](int) { k.int8_mm_dequant(sums, stats.data(), stats.data(), stats.data(), true, side, HB_CUDA, 0, side, {out, HB_FLOAT16}); }), elements * 6.0);
  }
  if (k.int8_row_stats) {
    std::vector<float> stats(side);
    std::vector<uint8_t> mask(side);
    line("int8_row_stats f32", median(9, [&](int) { k.int8_row_stats({values, HB_FLOAT32}, side, 0, true, 0, side, stats.data(), mask.data()); }), elements * 4.0);
    line("int8_row_quant f32", median(9, [&](int) { k.int8_row_quant({values, HB_FLOAT32}, side, 0, stats.data(), nullptr, 0, side, reinterpret_cast<int8_t *>(codes8)); }), elements * 5.0);
  }
}
