// Loops in plain C++, for machines without the vectors above and for compilers that vectorize on their own (NEON).
#include <cstring>

#include "loops.h"

namespace floors {
namespace {

template <typename T, int count>
struct Lanes {
  T lane[count];
};

/// The compiler must take the value as unknown.
template <typename T>
void forget(T &value) {
#if defined(__GNUC__)
  asm volatile("" : : "r"(&value) : "memory");
#else
  volatile char *const byte = reinterpret_cast<char *>(&value);
  *byte = *byte;
#endif
}

struct Portable {
  static constexpr int kWidth = 64;
  using Integers = Lanes<uint64_t, 8>;
  static Integers load(const char *from) {
    Integers v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static void store(char *to, const Integers &v) { std::memcpy(to, &v, sizeof v); }
  static void stream(char *to, const Integers &v) { store(to, v); }
  static void finish_streams() {}
  static Integers splat(uint64_t word) {
    Integers v;
    for (uint64_t &lane : v.lane) lane = word;
    return v;
  }
  static Integers add64(Integers a, const Integers &b) {
    for (int i = 0; i < 8; i++) a.lane[i] += b.lane[i];
    return a;
  }
  static uint64_t sum64(const Integers &v) {
    uint64_t sum = 0;
    for (const uint64_t lane : v.lane) sum += lane;
    return sum;
  }

  template <typename Factor, typename Sum, int count>
  struct Arithmetic {
    using Vector = Lanes<Sum, count>;
    static constexpr uint64_t kMultiplies = count;
    static Vector zero() { return {}; }
    static Vector one() {
      Vector v;
      for (Sum &lane : v.lane) lane = 1;
      return v;
    }
    static Vector step(Vector sum, const Vector &x, const Vector &y) {
      for (int i = 0; i < count; i++) sum.lane[i] += static_cast<Sum>(static_cast<Factor>(x.lane[i])) * static_cast<Factor>(y.lane[i]);
      return sum;
    }
    static void hide(Vector &x) { forget(x); }
    static uint64_t total(const Vector &v) {
      double sum = 0;
      for (const Sum lane : v.lane) sum += static_cast<double>(lane);
      return static_cast<uint64_t>(sum);
    }
  };
  using F32 = Arithmetic<float, float, 16>;
  using Int16 = Arithmetic<int16_t, int32_t, 16>;
  using Int8 = Arithmetic<int8_t, int32_t, 16>;
};

}  // namespace

const Loops *portable_loops() { return table_of<Portable, 2, 4, 8>("portable"); }

}  // namespace floors
