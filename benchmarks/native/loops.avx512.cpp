// Loops with 512-bit vectors, vpdpwssd and vpdpbusd.
#include "loops.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#include <immintrin.h>

namespace floors {
namespace {

struct Avx512 {
  static constexpr int kWidth = 64;
  using Integers = __m512i;
  static Integers load(const char *from) { return _mm512_load_si512(from); }
  static void store(char *to, Integers v) { _mm512_store_si512(to, v); }
  static void stream(char *to, Integers v) { _mm512_stream_si512(reinterpret_cast<__m512i *>(to), v); }
  static void finish_streams() { _mm_sfence(); }
  static Integers splat(uint64_t word) { return _mm512_set1_epi64(static_cast<long long>(word)); }
  static Integers add64(Integers a, Integers b) { return _mm512_add_epi64(a, b); }
  static uint64_t sum64(Integers v) { return static_cast<uint64_t>(_mm512_reduce_add_epi64(v)); }

  struct F32 {
    using Vector = __m512;
    static constexpr uint64_t kMultiplies = 16;
    static Vector zero() { return _mm512_setzero_ps(); }
    static Vector one() { return _mm512_set1_ps(1); }
    static Vector step(Vector sum, Vector x, Vector y) { return _mm512_fmadd_ps(x, y, sum); }
    static void hide(Vector &x) { asm volatile("" : "+v"(x)); }
    static uint64_t total(Vector sum) {
      return static_cast<uint64_t>(_mm512_reduce_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(sum))) +
                                   _mm512_reduce_add_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(sum, 1))));
    }
  };

  struct Whole {
    using Vector = __m512i;
    static Vector zero() { return _mm512_setzero_si512(); }
    static void hide(Vector &x) { asm volatile("" : "+v"(x)); }
    static uint64_t total(Vector sum) {
      return static_cast<uint64_t>(_mm512_reduce_add_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(sum))) +
                                   _mm512_reduce_add_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sum, 1))));
    }
  };
  struct Int16 : Whole {
    static constexpr uint64_t kMultiplies = 32;
    static Vector one() { return _mm512_set1_epi16(1); }
    static Vector step(Vector sum, Vector x, Vector y) { return _mm512_dpwssd_epi32(sum, x, y); }
  };
  struct Int8 : Whole {
    static constexpr uint64_t kMultiplies = 64;
    static Vector one() { return _mm512_set1_epi8(1); }
    static Vector step(Vector sum, Vector x, Vector y) { return _mm512_dpbusd_epi32(sum, x, y); }
  };
};

}  // namespace

const Loops *avx512_loops() {
  const bool runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vnni");
  return runs ? table_of<Avx512, 10, 12, 16>("avx512") : nullptr;
}

}  // namespace floors

#else
const floors::Loops *floors::avx512_loops() { return nullptr; }
#endif
