// How the benches take memory and time, and the floor of reading.
#pragma once
#include <immintrin.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

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

// What must not be optimized away.
volatile uint64_t sink;

__attribute__((target("avx2"))) uint64_t read_all(const void *data, uint64_t bytes) {
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
  return uint64_t(_mm256_extract_epi64(all, 0)) | uint64_t(_mm256_extract_epi64(all, 2));
}

}  // namespace
