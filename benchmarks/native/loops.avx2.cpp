// Loops with 256-bit vectors; integer products by vpmaddwd and vpmaddubsw.
#include "loops.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

namespace floors {
namespace {

struct Avx2 {
  static constexpr int kWidth = 32;
  using Integers = __m256i;
  static Integers load(const char *from) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(from)); }
  static void store(char *to, Integers v) { _mm256_store_si256(reinterpret_cast<__m256i *>(to), v); }
  static void stream(char *to, Integers v) { _mm256_stream_si256(reinterpret_cast<__m256i *>(to), v); }
  static void finish_streams() { _mm_sfence(); }
  static Integers splat(uint64_t word) { return _mm256_set1_epi64x(static_cast<long long>(word)); }
  static Integers add64(Integers a, Integers b) { return _mm256_add_epi64(a, b); }
  static uint64_t sum64(Integers v) {
    alignas(32) uint64_t words[4];
    _mm256_store_si256(reinterpret_cast<__m256i *>(words), v);
    return words[0] + words[1] + words[2] + words[3];
  }

  struct F32 {
    using Vector = __m256;
    static constexpr uint64_t kMultiplies = 8;
    static Vector zero() { return _mm256_setzero_ps(); }
    static Vector one() { return _mm256_set1_ps(1); }
    static Vector step(Vector sum, Vector x, Vector y) { return _mm256_fmadd_ps(x, y, sum); }
    static void hide(Vector &x) { asm volatile("" : "+x"(x)); }
    static uint64_t total(Vector sum) {
      alignas(32) float lanes[8];
      _mm256_store_ps(lanes, sum);
      double all = 0;
      for (const float lane : lanes) all += lane;
      return static_cast<uint64_t>(all);
    }
  };

  struct Whole {
    using Vector = __m256i;
    static Vector zero() { return _mm256_setzero_si256(); }
    static void hide(Vector &x) { asm volatile("" : "+x"(x)); }
    static uint64_t total(Vector sum) {
      alignas(32) uint32_t lanes[8];
      _mm256_store_si256(reinterpret_cast<__m256i *>(lanes), sum);
      uint64_t all = 0;
      for (const uint32_t lane : lanes) all += lane;
      return all;
    }
  };
  struct Int16 : Whole {
    static constexpr uint64_t kMultiplies = 16;
    static Vector one() { return _mm256_set1_epi16(1); }
    static Vector step(Vector sum, Vector x, Vector y) { return _mm256_add_epi32(sum, _mm256_madd_epi16(x, y)); }
  };
  struct Int8 : Whole {
    static constexpr uint64_t kMultiplies = 32;
    static Vector one() { return _mm256_set1_epi8(1); }
    static Vector step(Vector sum, Vector x, Vector y) {
      return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, y), _mm256_set1_epi16(1)));
    }
  };
};

}  // namespace

const Loops *avx2_loops() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? table_of<Avx2, 8, 10, 12>("avx2") : nullptr;
}

}  // namespace floors

#else
const floors::Loops *floors::avx2_loops() { return nullptr; }
#endif
