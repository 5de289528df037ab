// Speed of packed 4-bit products beside floors measured in the same run, one thread, medians of thread time. Beside each figure stands its ratio to the
// floor: of reading the same bytes for one row of x, of the FMAs per second of one core for more. "cold" rotates over copies of the weight (378 MB).
// Usage: taskset -c 0 panel_bench [avx512|avx2] [n k]
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "halfbyte_formats.h"
#include "../activations.h"
#include "../kernels.h"
#include "bench.h"

using namespace hb;

namespace {

constexpr uint64_t copies = 40, most_m = 512;
const float (&nf4)[16] = HB_NF4_CODE;

volatile float float_sink;

constexpr int peak_rounds = 2000000;
/// Independent FMAs in registers; operations per round 2 · 12 · lanes.
__attribute__((target("avx2,fma"))) void fma_256() {
  __m256 a[12], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
  for (int i = 0; i < 12; i++) a[i] = x;
  for (int round = 0; round < peak_rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) a[i] = _mm256_fmadd_ps(a[i], x, y);
    __asm__ volatile("" : "+x"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm256_add_ps(a[0], a[i]);
  float_sink = _mm256_cvtss_f32(a[0]);
}
__attribute__((target("avx512f"))) void fma_512() {
  __m512 a[12], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
  for (int i = 0; i < 12; i++) a[i] = x;
  for (int round = 0; round < peak_rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) a[i] = _mm512_fmadd_ps(a[i], x, y);
    __asm__ volatile("" : "+x"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm512_add_ps(a[0], a[i]);
  float_sink = _mm512_cvtss_f32(a[0]);
}
__attribute__((target("avx512f,avx512vnni"))) void dpwssd_512() {
  __m512i a[12], x = _mm512_set1_epi16(3);
  for (int i = 0; i < 12; i++) a[i] = x;
  for (int round = 0; round < peak_rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) a[i] = _mm512_dpwssd_epi32(a[i], x, x);
    __asm__ volatile("" : "+x"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm512_add_epi32(a[0], a[i]);
  sink = uint64_t(_mm512_cvtsi512_si32(a[0]));
}

}  // namespace

int main(int argc, char **argv) {
  const bool avx2 = argc > 1 && !std::strcmp(argv[1], "avx2");
  const Kernels &kernels = avx2 ? avx2_kernels : avx512_kernels;
  const uint64_t n = argc > 3 ? std::strtoull(argv[2], nullptr, 10) : 4096, k = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 4096;
  const PackedLayout layout{n, k, 64};
  std::printf("%s, %llu x %llu, block 64, one thread\n", kernels.isa, static_cast<unsigned long long>(n), static_cast<unsigned long long>(k));
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  const uint64_t bytes = (layout.bytes() + 4095) / 4096 * 4096;
  uint8_t *const codes = pages<uint8_t>(n * k / 2), *const packed = pages<uint8_t>(bytes * copies);
  std::vector<float> absmax((n * k + 63) / 64);
  float *const x = pages<float>(most_m * k), *const out = pages<float>(most_m * n);
  char *const prepared = pages<char>(ActivationLayout{HB_EXACT, most_m, k, layout.piece()}.bytes());
  for (uint64_t i = 0; i < n * k / 2; i++) codes[i] = uint8_t(engine());
  for (auto &scale : absmax) scale = 0.05f + 0.01f * std::fabs(normal(engine));
  for (uint64_t i = 0; i < most_m * k; i++) x[i] = normal(engine);
  const double pack = median(3, [&](int) { pack_4bit(codes, absmax.data(), n, k, 64, 0, layout.panels(), packed); });
  std::printf("%-28s %9.1f us\n", "pack", pack * 1e6);
  for (uint64_t c = 1; c < copies; c++) std::memcpy(packed + c * bytes, packed, layout.bytes());

  const double warm = median(41, [&](int) { sink = read_all(packed, layout.bytes()); });
  const double cold = median(81, [&](int i) { sink = read_all(packed + uint64_t(i) % copies * bytes, layout.bytes()); });
  const double fma = (avx2 ? 8 : 16) * 24.0 * peak_rounds / median(7, [&](int) { avx2 ? fma_256() : fma_512(); });
  std::printf("%-28s %9.1f us\n%-28s %9.1f us\n%-28s %9.1f GFLOP/s\n", "read, warm", warm * 1e6, "read, cold", cold * 1e6, "FMA", fma * 1e-9);
  if (!avx2) std::printf("%-28s %9.1f GOP/s\n", "vpdpwssd", 32 * 24.0 * peak_rounds / median(7, [&](int) { dpwssd_512(); }) * 1e-9);

  const char *const names[] = {"exact", "fast", "turbo"};
  for (const hb_accuracy accuracy : {HB_EXACT, HB_FAST, HB_TURBO}) {
    const auto product = [&](uint64_t m, int copy) {
      kernels.prepare_activations(accuracy, {x, HB_FLOAT32}, nf4, 64, m, k, 0, m, prepared);
      kernels.gemm_4bit_packed(accuracy, prepared, packed + uint64_t(copy) % copies * bytes, nf4, 64, {nullptr, HB_FLOAT32}, m, n, k, 0, layout.panels(), {out, HB_FLOAT32});
    };
    const auto beside_read = [&](const char *name, double seconds, double floor, double target) {
      std::printf("%-5s %-22s %9.1f us  %5.1f %% of reading", names[accuracy], name, seconds * 1e6, floor / seconds * 100);
      if (target > 0) std::printf(", target %.0f", target);
      std::printf("\n");
    };
    beside_read("m=1 warm", median(101, [&](int) { product(1, 0); }), warm, 0);
    beside_read("m=1 cold", median(121, [&](int i) { product(1, i); }), cold, avx2 || accuracy == HB_TURBO ? 0 : accuracy == HB_EXACT ? 88 : 95);
    std::printf("%-5s %-22s %9.1f us\n", names[accuracy], "m=1 preparing", median(101, [&](int) { kernels.prepare_activations(accuracy, {x, HB_FLOAT32}, nf4, 64, 1, k, 0, 1, prepared); }) * 1e6);
    for (const uint64_t m : {2, 4, 8, 16, 32, 64, 128, 512}) {
      const double seconds = median(m < 128 ? 11 : 5, [&](int) { product(m, 0); }), rate = 2.0 * double(n * k) * double(m) / seconds;
      std::printf("%-5s m=%-20llu %9.1f us  %7.1f GFLOP/s  %5.1f %% of FMA", names[accuracy], static_cast<unsigned long long>(m), seconds * 1e6, rate * 1e-9, rate / fma * 100);
      if (!avx2 && accuracy != HB_TURBO && m >= 16) std::printf(", target %d", accuracy == HB_EXACT ? 88 : 140);
      std::printf("\n");
    }
    std::printf("%-5s %-22s %9.1f us\n", names[accuracy], "m=512 preparing", median(5, [&](int) { kernels.prepare_activations(accuracy, {x, HB_FLOAT32}, nf4, 64, 512, k, 0, 512, prepared); }) * 1e6);
    std::fflush(stdout);
  }
}
