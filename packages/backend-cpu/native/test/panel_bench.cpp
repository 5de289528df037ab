// Speed of packed 4-bit products beside floors measured in the same run, one thread, medians of thread time. Beside each figure stands its ratio to the
// floor: of reading the same bytes for one row of x, of the FMAs per second of one core for more. "cold" rotates over copies of the weight (378 MB).
// Usage: taskset -c 0 panel_bench [avx512|avx2] [n k]
#include <immintrin.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "halfbyte_formats.h"
#include "../activations.h"
#include "../kernels.h"

using namespace hb;

namespace {

constexpr uint64_t copies = 40, most_m = 512;
const float (&nf4)[16] = HB_NF4_CODE;

/// Pages of 2 MiB, as the allocator of the library asks for large tensors.
template <typename T>
T *pages(uint64_t count) {
  const uint64_t bytes = (count * sizeof(T) + (4 << 20)) & ~uint64_t((2 << 20) - 1);
  void *const at = mmap(nullptr, bytes + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void *const aligned = reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(at) + (2 << 20) - 1) & ~uintptr_t((2 << 20) - 1));
  madvise(aligned, bytes, MADV_HUGEPAGE);
  std::memset(aligned, 0, bytes);
  return static_cast<T *>(aligned);
}

double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

template <typename Run>
double median(int repetitions, const Run &run) {
  run(0);
  std::vector<double> times;
  for (int i = 0; i < repetitions; i++) {
    const double start = thread_seconds();
    run(i);
    times.push_back(thread_seconds() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

volatile uint64_t sink;
volatile float float_sink;

__attribute__((target("avx2"))) void read_all(const void *data, uint64_t bytes) {
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  const char *const p = static_cast<const char *>(data);
  for (uint64_t i = 0; i + 128 <= bytes; i += 128) {
    _mm_prefetch(p + i + 4096, _MM_HINT_T0);
    _mm_prefetch(p + i + 4160, _MM_HINT_T0);
    a = _mm256_or_si256(a, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + i)));
    b = _mm256_or_si256(b, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + i + 32)));
    c = _mm256_or_si256(c, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + i + 64)));
    d = _mm256_or_si256(d, _mm256_load_si256(reinterpret_cast<const __m256i *>(p + i + 96)));
  }
  const __m256i all = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
  sink = uint64_t(_mm256_extract_epi64(all, 0)) | uint64_t(_mm256_extract_epi64(all, 2));
}

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

  const double warm = median(41, [&](int) { read_all(packed, layout.bytes()); });
  const double cold = median(81, [&](int i) { read_all(packed + uint64_t(i) % copies * bytes, layout.bytes()); });
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
