// Random arguments of operations: sizes, values of every dtype as bytes, tables. The same for a seed on every machine.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "halfbyte.h"
#include "halfbyte_formats.h"

namespace fuzz {

using Bytes = std::vector<uint8_t>;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  hb_dtype dtype() { return pick<hb_dtype>({HB_FLOAT32, HB_FLOAT16, HB_BFLOAT16}); }
  hb_profile profile() { return pick<hb_profile>({HB_REFERENCE, HB_CUDA}); }
  // Mostly small, so that much is on its way at once; sometimes enough for every thread.
  uint64_t size() { return one_in(16) ? between(1, 600000) : between(1, one_in(2) ? 40 : 3000); }
  uint64_t side() { return one_in(8) ? between(1, 300) : between(1, 40); }

 private:
  uint64_t state_;
};

// A float dtype: widths of its fields.
struct Layout {
  uint64_t bytes;
  int exponent_bits, mantissa_bits;
};
inline Layout layout_of(hb_dtype dtype) { return dtype == HB_FLOAT32 ? Layout{4, 8, 23} : dtype == HB_FLOAT16 ? Layout{2, 5, 10} : Layout{2, 8, 7}; }

template <class T>
inline Bytes bytes_of(const std::vector<T> &values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline Bytes random_bytes(Random &random, uint64_t count) {
  Bytes bytes(count);
  for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random.next());
  return bytes;
}

// Values whose exponent fields lie in [low, high].
inline Bytes floats_between(Random &random, uint64_t count, hb_dtype dtype, uint32_t low, uint32_t high) {
  const Layout layout = layout_of(dtype);
  Bytes bytes(count * layout.bytes);
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t sign = static_cast<uint32_t>(random.below(2)) << (layout.exponent_bits + layout.mantissa_bits);
    const uint32_t exponent = static_cast<uint32_t>(random.between(low, high)) << layout.mantissa_bits;
    const uint32_t bits = sign | exponent | static_cast<uint32_t>(random.below(uint64_t{1} << layout.mantissa_bits));
    std::memcpy(bytes.data() + i * layout.bytes, &bits, layout.bytes);
  }
  return bytes;
}

inline uint32_t bias_of(hb_dtype dtype) { return (1u << (layout_of(dtype).exponent_bits - 1)) - 1; }

// Of magnitude 1/16 to 1: sums of products overflow no dtype.
inline Bytes moderate(Random &random, uint64_t count, hb_dtype dtype) { return floats_between(random, count, dtype, bias_of(dtype) - 4, bias_of(dtype) - 1); }

// Any finite values, from zero and subnormal to the largest; sometimes one that is not finite.
inline Bytes wild(Random &random, uint64_t count, hb_dtype dtype) {
  const uint32_t most = 2 * bias_of(dtype);
  const uint32_t low = static_cast<uint32_t>(random.below(most)), high = std::min(most, low + static_cast<uint32_t>(random.below(8)));
  Bytes bytes = floats_between(random, count, dtype, random.one_in(4) ? 0 : low, high);
  if (!random.one_in(6)) return bytes;
  const Bytes strange = floats_between(random, 1, dtype, most + 1, most + 1);
  std::copy(strange.begin(), strange.end(), bytes.begin() + static_cast<long>(random.below(count) * strange.size()));
  return bytes;
}

inline Bytes positive(Random &random, uint64_t count) {
  Bytes bytes = moderate(random, count, HB_FLOAT32);
  for (uint64_t i = 3; i < bytes.size(); i += 4) bytes[i] &= 0x7f;
  return bytes;
}

inline double value_at(const Bytes &bytes, hb_dtype dtype, uint64_t i) {
  const Layout layout = layout_of(dtype);
  uint32_t bits = 0;
  std::memcpy(&bits, bytes.data() + i * layout.bytes, layout.bytes);
  const int mantissa = static_cast<int>(bits & ((1u << layout.mantissa_bits) - 1));
  const int exponent = static_cast<int>(bits >> layout.mantissa_bits & ((1u << layout.exponent_bits) - 1));
  const int shift = std::max(exponent, 1) - static_cast<int>(bias_of(dtype)) - layout.mantissa_bits;
  const double magnitude = std::ldexp(exponent > 0 ? mantissa + (1 << layout.mantissa_bits) : mantissa, shift);
  return bits >> (layout.exponent_bits + layout.mantissa_bits) ? -magnitude : magnitude;
}

inline std::vector<float> table4(Random &random) {
  std::vector<float> code(HB_NF4_CODE, HB_NF4_CODE + 16);
  if (random.one_in(2)) return code;
  for (float &value : code) value = static_cast<float>(2 * random.unit() - 1);
  return code;
}

inline std::vector<float> map8(Random &random) {
  std::vector<float> code(256);
  for (float &value : code) value = static_cast<float>(2 * random.unit() - 1);
  std::sort(code.begin(), code.end());
  return code;
}

inline uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

}  // namespace fuzz
