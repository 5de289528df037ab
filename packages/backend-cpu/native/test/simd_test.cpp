// Every entry of the SIMD tables that run on this machine against the scalar one, to the bit; matrix products against float64 within the bound of kernels.h.
// Data: random blocks, and values within 3 ulp of every decision bound for many absmax; zero, subnormal and huge blocks; NaN and Infinity; tails, odd sizes,
// every dtype. Buffers are exact in size, so that ASan sees a step beyond. Prints a line per entry; exits 1 on the first difference of each.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "halfbyte_formats.h"
#include "../dispatch.h"
#include "float16.h"
#include "../kernels.h"
#include "../packed_int8.h"
#include "../tables.h"

using namespace hb;

namespace {

std::mt19937_64 engine(20261122);
uint64_t below(uint64_t limit) { return engine() % limit; }
float normal() {
  static std::normal_distribution<float> distribution;
  return distribution(engine);
}

const float (&nf4)[16] = HB_NF4_CODE;
const float fp4[16] = {0.0f, 0.0052083333f, 0.6666667f, 1.0f, 0.33333334f, 0.5f, 0.16666667f, 0.25f,
                       -0.0f, -0.0052083333f, -0.6666667f, -1.0f, -0.33333334f, -0.5f, -0.16666667f, -0.25f};

struct Table4 {
  const char *name;
  Format4 format;
};

std::vector<Table4> tables4() {
  std::vector<Table4> all = {{"nf4", make_format4(nf4, HB_NF4)}, {"fp4", make_format4(fp4, HB_FP4)}};
  float code[16];
  for (int i = 0; i < 16; i++) code[i] = float(i) / 7.5f - 1;
  all.push_back({"linear", make_format4(code, HB_TABLE)});
  for (int i = 0; i < 16; i++) code[i] = (float(i) - 8) / 3;
  all.push_back({"beyond one", make_format4(code, HB_TABLE)});
  for (int i = 0; i < 16; i++) code[i] = i == 15 ? 1 : i == 0 ? -1 : 0.001f * float(i);
  all.push_back({"crowded", make_format4(code, HB_TABLE)});
  for (int i = 0; i < 16; i++) code[i] = float(below(2000)) / 1000 - 1;
  all.push_back({"shuffled", make_format4(code, HB_TABLE)});
  return all;
}

/// The dynamic map: seven decades of 2^d midpoints of both signs, or of 2^(d+1) without a sign; 0 and 1.
Map8 dynamic_map(bool is_signed) {
  std::vector<float> code = {0, 1};
  for (int decade = 0; decade < 7; decade++) {
    const int count = 1 << (is_signed ? decade : decade + 1);
    for (int i = 0; i < count; i++) {
      const float value = float(std::pow(10, decade - 6) * (0.1 + 0.9 * (i + 0.5) / count));
      code.push_back(value);
      if (is_signed) code.push_back(-value);
    }
  }
  std::sort(code.begin(), code.end());
  return make_map8(code.data());
}

std::vector<Map8> maps8() {
  std::vector<Map8> all = {dynamic_map(true), dynamic_map(false)};
  float code[256];
  const auto sort = [&] { std::sort(code, code + 256); };
  for (int i = 0; i < 256; i++) code[i] = float(i) / 255;
  all.push_back(make_map8(code));
  for (int i = 0; i < 256; i++) code[i] = normal();
  sort();
  all.push_back(make_map8(code));
  for (int i = 0; i < 256; i++) code[i] = float(i / 5) * 0.01f - 0.3f;
  all.push_back(make_map8(code));
  return all;
}

// ── Typed buffers, exact in size ──

uint16_t to_half(float value, hb_dtype dtype) { return dtype == HB_BFLOAT16 ? narrow_to_bfloat16(value) : narrow_to_float16(value); }

struct Buffer {
  std::vector<uint8_t> bytes;
  hb_dtype dtype;
  Buffer(uint64_t size, hb_dtype type) : bytes(size * (type == HB_FLOAT32 ? 4 : 2)), dtype(type) { bytes.shrink_to_fit(); }
  Buffer(const std::vector<float> &values, hb_dtype type) : Buffer(values.size(), type) {
    for (size_t i = 0; i < values.size(); i++) {
      if (type == HB_FLOAT32) std::memcpy(bytes.data() + 4 * i, &values[i], 4);
      else {
        const uint16_t half = to_half(values[i], type);
        std::memcpy(bytes.data() + 2 * i, &half, 2);
      }
    }
  }
  Floats in() const { return {bytes.data(), dtype}; }
  MutableFloats out() { return {bytes.data(), dtype}; }
  float at(uint64_t i) const {
    if (dtype == HB_FLOAT32) return from_bits(*reinterpret_cast<const uint32_t *>(bytes.data() + 4 * i));
    const uint16_t half = *reinterpret_cast<const uint16_t *>(bytes.data() + 2 * i);
    return dtype == HB_BFLOAT16 ? widen_bfloat16(half) : widen_float16(half);
  }
};

const hb_dtype dtypes[] = {HB_FLOAT32, HB_FLOAT16, HB_BFLOAT16};
const char *const dtype_names[] = {"f32", "f16", "bf16"};

// ── Reports ──

int failures = 0;
uint64_t checks = 0;

struct Report {
  const char *isa, *entry;
  uint64_t blocks = 0, bad = 0;
  ~Report() {
    std::printf("%-7s %-24s %9llu blocks or rows, %llu bad\n", isa, entry, static_cast<unsigned long long>(blocks),
                static_cast<unsigned long long>(bad));
    std::fflush(stdout);
    if (bad) failures++;
    checks += blocks;
  }
  template <typename T>
  void same(const std::vector<T> &got, const std::vector<T> &want, const char *what) {
    if (got.empty() || std::memcmp(got.data(), want.data(), got.size() * sizeof(T)) == 0) return;
    size_t i = 0;
    while (std::memcmp(&got[i], &want[i], sizeof(T)) == 0) i++;
    if (bad++ < 5) std::printf("  %s: differs at %zu of %zu: got %g, want %g\n", what, i, got.size(), double(got[i]), double(want[i]));
  }
  void same(int64_t got, int64_t want, const char *what) {
    if (got != want && bad++ < 5) std::printf("  %s: got %lld, want %lld\n", what, static_cast<long long>(got), static_cast<long long>(want));
  }
};

/// Blocks whose values lie at and around every bound times an absmax, which stands first; some of other kinds.
std::vector<float> blocks_of(const float *bounds, int bound_count, uint64_t size, uint64_t block_size, bool hostile) {
  std::vector<float> values(size);
  for (uint64_t first = 0; first < size; first += block_size) {
    const uint64_t stop = first + block_size < size ? first + block_size : size;
    const uint64_t kind = below(16);
    float scale = kind < 4 ? 1.0f : kind < 8 ? std::ldexp(1.0f, int(below(60)) - 30) : std::fabs(normal()) + 0.01f;
    if (kind == 12) scale = 0;
    if (kind == 13) scale = from_bits(uint32_t(below(0x01000000)));  // around the smallest normal number
    if (kind == 14) scale = from_bits(0x7f7fffff - uint32_t(below(1 << 22)));
    for (uint64_t i = first; i < stop; i++) {
      if (kind == 15) {
        values[i] = normal() * 0.02f;
        continue;
      }
      float value = bounds[below(uint64_t(bound_count))] * scale;
      if (!(std::fabs(value) <= scale)) value = scale;
      uint32_t bits = bits_of(value);
      bits += uint32_t(int64_t(below(7)) - 3);
      if ((bits & 0x7fffffff) < 0x7f800000 && bits_of(value) > 3) value = from_bits(bits);
      values[i] = std::fabs(value) <= scale ? value : scale;
    }
    values[first + below(stop - first)] = below(2) ? scale : -scale;
    if (hostile && below(4) == 0) values[first + below(stop - first)] = below(2) ? NAN : below(2) ? INFINITY : -INFINITY;
  }
  return values;
}

void test_quantize_4bit(const Kernels &simd) {
  if (!simd.quantize_4bit) return;
  Report report{simd.isa, "quantize_4bit"};
  const auto tables = tables4();
  for (const auto &table : tables)
    for (const hb_dtype dtype : dtypes)
      for (const uint32_t block_size : {32u, 64u, 96u, 128u, 256u, 512u, 1024u, 2048u, 4096u, 36u})
        for (int round = 0; round < 5; round++) {
          const uint64_t size = (block_size < 128 ? 60 : 6) * uint64_t(block_size) + (round == 0 ? 0 : round == 1 ? 1 : below(block_size));
          const uint64_t blocks = (size + block_size - 1) / block_size;
          const Buffer x(blocks_of(table.format.bounds, 15, size, block_size, round == 3), dtype);
          for (const hb_profile profile : {HB_REFERENCE, HB_CUDA}) {
            if (profile == HB_CUDA && round > 0) continue;
            std::vector<uint8_t> codes((size + 1) / 2, 0xaa), want(codes);
            std::vector<float> absmax(blocks, -7), want_absmax(absmax);
            const uint64_t begin = round == 4 ? 1 : 0, end = round == 4 ? blocks - 1 : blocks;
            const bool look = round != 2;
            const int64_t fault = simd.quantize_4bit(x.in(), size, table.format, block_size, profile, look, begin, end, codes.data(), absmax.data());
            const int64_t want_fault =
                scalar_kernels.quantize_4bit(x.in(), size, table.format, block_size, profile, look, begin, end, want.data(), want_absmax.data());
            char what[96];
            std::snprintf(what, sizeof what, "%s %s block %u size %llu", table.name, dtype_names[dtype], block_size,
                          static_cast<unsigned long long>(size));
            report.same(codes, want, what);
            report.same(absmax, want_absmax, what);
            report.same(fault, want_fault, what);
            report.blocks += blocks;
          }
        }
}

void test_dequantize_4bit(const Kernels &simd) {
  if (!simd.dequantize_4bit) return;
  Report report{simd.isa, "dequantize_4bit"};
  for (const float *code : {nf4, fp4})
    for (const hb_dtype dtype : dtypes)
      for (const uint32_t block_size : {32u, 64u, 96u, 128u, 1024u, 4096u, 36u})
        for (int round = 0; round < 6; round++) {
          const bool large = round == 5 && block_size == 64;  // streaming stores
          const uint64_t size = large ? (uint64_t(17) << 20) + 64 * 3 + 5 : 30 * uint64_t(block_size) + (round % 2 ? below(block_size) : 0);
          const uint64_t blocks = (size + block_size - 1) / block_size;
          std::vector<uint8_t> codes((size + 1) / 2);
          for (auto &c : codes) c = uint8_t(engine());
          std::vector<float> absmax(blocks);
          for (auto &a : absmax) {
            const uint64_t kind = below(20);
            a = kind == 0 ? 0 : kind == 1 ? from_bits(uint32_t(below(1 << 24))) : kind == 2 ? 3e38f : kind == 3 ? 7e4f : kind == 4 ? 1e-5f * normal() : std::fabs(normal());
            if (round == 4 && kind == 5) a = NAN;
            if (round == 4 && kind == 6) a = INFINITY;
          }
          Buffer want(size, dtype);
          // Aligned, as hb_alloc gives it: only then are stores streamed.
          std::unique_ptr<uint8_t, void (*)(void *)> got(static_cast<uint8_t *>(std::aligned_alloc(64, (want.bytes.size() + 63) / 64 * 64)), std::free);
          std::memset(got.get(), 0, want.bytes.size());
          const uint64_t begin = round == 3 ? 2 : 0;
          simd.dequantize_4bit(codes.data(), absmax.data(), code, size, block_size, begin, blocks, {got.get(), dtype});
          scalar_kernels.dequantize_4bit(codes.data(), absmax.data(), code, size, block_size, begin, blocks, want.out());
          report.same(std::vector<uint8_t>(got.get(), got.get() + want.bytes.size()), want.bytes, dtype_names[dtype]);
          report.blocks += blocks;
        }
}

/// Every value within 3 ulp of every bound of a map and of its negative, and of every power of two, in blocks of absmax 1, so that the values are scaled
/// by 1 and each of them is decided.
std::vector<float> around_bounds(const Map8 &map, uint64_t block_size) {
  std::vector<float> centers(map.bounds, map.bounds + 255), values;
  for (int exponent = -35; exponent <= 0; exponent++) centers.push_back(std::ldexp(1.0f, exponent));
  centers.push_back(0);
  for (const float center : centers)
    for (int ulps = -3; ulps <= 3; ulps++) {
      const uint32_t magnitude = bits_of(std::fabs(center));
      const float value = from_bits(ulps < 0 && magnitude < uint32_t(-ulps) ? 0 : magnitude + uint32_t(ulps));
      for (const float signed_value : {value, -value}) {
        if (!(value <= 1)) continue;
        if (values.size() % block_size == 0) values.push_back(1);
        if (values.size() % block_size != 0) values.push_back(signed_value);
      }
    }
  return values;
}

void test_quantize_bounds(const Kernels &simd) {
  if (!simd.quantize_blockwise) return;
  Report report{simd.isa, "quantize_blockwise, bounds"};
  for (const Map8 &map : maps8())
    for (const uint64_t block_size : {256u, 64u, 1000u, 33u})
      for (const hb_profile profile : {HB_REFERENCE, HB_CUDA}) {
        const Buffer x(around_bounds(map, block_size), HB_FLOAT32);
        const uint64_t size = x.bytes.size() / 4, blocks = (size + block_size - 1) / block_size;
        std::vector<uint8_t> codes(size, 0xaa), want(codes);
        std::vector<float> absmax(blocks, -7), want_absmax(absmax);
        simd.quantize_blockwise(x.in(), size, map, block_size, profile, true, 0, blocks, codes.data(), absmax.data());
        scalar_kernels.quantize_blockwise(x.in(), size, map, block_size, profile, true, 0, blocks, want.data(), want_absmax.data());
        report.same(codes, want, profile == HB_CUDA ? "cuda" : "reference");
        report.same(absmax, want_absmax, "absmax");
        report.blocks += blocks;
      }
}

void test_quantize_blockwise(const Kernels &simd) {
  if (!simd.quantize_blockwise) return;
  Report report{simd.isa, "quantize_blockwise"};
  for (const Map8 &map : maps8())
    for (const hb_dtype dtype : dtypes)
      for (const uint64_t block_size : {64u, 128u, 256u, 512u, 4096u, 100u, 1u, 31u, 65u})
        for (int round = 0; round < 5; round++) {
          const uint64_t size = (block_size < 512 ? 80 : 10) * block_size + (round == 0 ? 0 : below(block_size));
          const uint64_t blocks = (size + block_size - 1) / block_size;
          const Buffer x(blocks_of(map.bounds, 255, size, block_size, round == 3), dtype);
          for (const hb_profile profile : {HB_REFERENCE, HB_CUDA}) {
            std::vector<uint8_t> codes(size, 0xaa), want(codes);
            std::vector<float> absmax(blocks, -7), want_absmax(absmax);
            const uint64_t begin = round == 4 ? 1 : 0, end = round == 4 ? blocks - 1 : blocks;
            const int64_t fault = simd.quantize_blockwise(x.in(), size, map, block_size, profile, round != 2, begin, end, codes.data(), absmax.data());
            const int64_t want_fault =
                scalar_kernels.quantize_blockwise(x.in(), size, map, block_size, profile, round != 2, begin, end, want.data(), want_absmax.data());
            report.same(codes, want, dtype_names[dtype]);
            report.same(absmax, want_absmax, dtype_names[dtype]);
            report.same(fault, want_fault, dtype_names[dtype]);
            report.blocks += blocks;
          }
        }
}

void test_dequantize_blockwise(const Kernels &simd) {
  if (!simd.dequantize_blockwise) return;
  Report report{simd.isa, "dequantize_blockwise"};
  for (const Map8 &map : maps8())
    for (const hb_dtype dtype : dtypes)
      for (const uint64_t block_size : {uint64_t(1), uint64_t(7), uint64_t(64), uint64_t(100), uint64_t(256), uint64_t(4096)})
        for (int round = 0; round < 6; round++) {
          const bool large = round == 5 && block_size == 256;
          const uint64_t size = large ? (uint64_t(17) << 20) + 37 : 1000 + below(3000);
          std::vector<uint8_t> codes(size);
          for (auto &c : codes) c = uint8_t(engine());
          std::vector<float> absmax((size + block_size - 1) / block_size);
          for (auto &a : absmax) a = below(9) == 0 ? from_bits(uint32_t(below(1 << 24))) : std::fabs(normal());
          const float offset = round % 2 ? 0.25f : 0.0f;
          const uint64_t begin = round < 2 ? 0 : large ? 64 : below(500), end = large ? size : size - below(200);
          Buffer want(size, dtype);
          std::unique_ptr<uint8_t, void (*)(void *)> got(static_cast<uint8_t *>(std::aligned_alloc(64, (want.bytes.size() + 63) / 64 * 64)), std::free);
          std::memset(got.get(), 0, want.bytes.size());
          simd.dequantize_blockwise(codes.data(), absmax.data(), map.code, size, block_size, large ? 0 : offset, begin, end, {got.get(), dtype});
          scalar_kernels.dequantize_blockwise(codes.data(), absmax.data(), map.code, size, block_size, large ? 0 : offset, begin, end, want.out());
          report.same(std::vector<uint8_t>(got.get(), got.get() + want.bytes.size()), want.bytes, dtype_names[dtype]);
          report.blocks += absmax.size();
        }
}

/// Scale and largest difference to the bit; sums within 4096 roundings of the sum of the magnitudes, and what underflows.
void check_figures(Report &report, const float *got, const float *want, const char *what) {
  const float product = std::sqrt(want[3]) * std::sqrt(want[4]), sizes[] = {0, 0, want[2], want[3], want[4], product};
  for (int i = 0; i < HB_ERROR_COLUMNS; i++) {
    const float bound = i < 2 ? 0 : sizes[i] * 0x1p-12f + 0x1p-137f;
    if (std::isnan(want[i]) ? std::isnan(got[i]) : std::fabs(got[i] - want[i]) <= bound) continue;
    if (report.bad++ < 5) std::printf("  %s, column %d: got %g, want %g\n", what, i, double(got[i]), double(want[i]));
  }
}

void test_measure_segment(const Kernels &simd) {
  if (!simd.measure_segment) return;
  Report report{simd.isa, "measure_segment"};
  for (int round = 0; round < 400; round++)
    for (const hb_dtype dtype : dtypes) {
      const uint64_t count = round % 3 ? 1 + below(HB_ERROR_SEGMENT) : HB_ERROR_SEGMENT, begin = below(100);
      const float size = std::ldexp(1.0f, round % 5 ? int(below(30)) - 15 : int(below(250)) - 130), error = std::ldexp(size, -int(below(12)));
      std::vector<float> values(begin + count), decoded(count);
      for (float &v : values) v = below(9) ? size * normal() : 0;
      Buffer x(values, dtype);
      for (uint64_t i = 0; i < count; i++) decoded[i] = round % 7 ? x.at(begin + i) + error * normal() : x.at(begin + i);
      if (round % 20 == 1) std::fill(decoded.begin(), decoded.end(), 0.0f);
      if (round % 20 == 2) decoded[below(count)] = round % 40 == 2 ? NAN : -INFINITY;
      float got[HB_ERROR_COLUMNS], want[HB_ERROR_COLUMNS];
      simd.measure_segment(x.in(), begin, count, decoded.data(), got);
      scalar_kernels.measure_segment(x.in(), begin, count, decoded.data(), want);
      check_figures(report, got, want, dtype_names[dtype]);
      report.blocks++;
    }
}

/// |got − exact| <= 4·√K·2⁻²⁴·Σ|a·w| and one rounding of the output dtype.
void check_product(Report &report, const Buffer &out, uint64_t i, double exact, double magnitude, uint64_t k) {
  const double half_ulp = out.dtype == HB_FLOAT32 ? 0x1p-24 : out.dtype == HB_FLOAT16 ? 0x1p-11 : 0x1p-8;
  const double bound = 4 * std::sqrt(double(k)) * 0x1p-24 * magnitude;
  const double error = std::fabs(double(out.at(i)) - exact);
  if (error <= bound + half_ulp * (std::fabs(exact) + bound) + 0x1p-25) return;
  if (report.bad++ < 5) std::printf("  %s k %llu at %llu: got %g, exact %g\n", dtype_names[out.dtype], static_cast<unsigned long long>(k), static_cast<unsigned long long>(i), double(out.at(i)), exact);
}

void test_gemm_4bit(const Kernels &simd) {
  if (!simd.gemm_4bit) return;
  Report report{simd.isa, "gemm_4bit"};
  struct Shape {
    uint64_t m, n, k;
    uint32_t block_size;
  };
  std::vector<Shape> shapes = {{1, 5, 1, 64}, {1, 9, 33, 32}, {3, 7, 100, 64}, {2, 3, 1000, 64}, {1, 6, 80, 64}, {4, 9, 48, 64}, {1, 3, 11008, 64}, {70, 5, 1600, 128}, {130, 13, 64, 32}, {1, 4, 4096, 4096}, {5, 3, 0, 64}};
  for (const uint32_t block_size : {32u, 64u, 128u, 256u})
    for (uint64_t m = 1; m <= 17; m++) shapes.push_back({m, 1 + below(19), block_size * (1 + below(9)), block_size});
  for (int i = 0; i < 60; i++) shapes.push_back({1 + below(70), 1 + below(30), 1 + below(2000), 32u << below(4)});
  for (const Shape &s : shapes)
    for (const hb_dtype dtype : dtypes) {
      const uint64_t size = s.n * s.k;
      std::vector<uint8_t> codes((size + 1) / 2);
      for (auto &c : codes) c = uint8_t(engine());
      std::vector<float> absmax((size + s.block_size - 1) / s.block_size), x(s.m * s.k), bias(s.n);
      for (auto &a : absmax) a = std::fabs(normal());
      for (auto &v : x) v = normal();
      for (auto &v : bias) v = normal();
      const bool biased = below(2);
      Buffer out(s.m * s.n, dtype);
      const uint64_t middle = below(s.n + 1);
      for (const auto &[begin, end] : {std::pair(uint64_t(0), middle), std::pair(middle, s.n)})
        simd.gemm_4bit(x.data(), codes.data(), absmax.data(), nf4, s.block_size, biased ? bias.data() : nullptr, s.m, s.n, s.k, begin, end, out.out());
      for (uint64_t row = 0; row < s.n; row++)
        for (uint64_t i = 0; i < s.m; i++) {
          double exact = biased ? bias[row] : 0, magnitude = std::fabs(exact);
          for (uint64_t j = 0; j < s.k; j++) {
            const uint64_t flat = row * s.k + j;
            const float w = nf4[flat % 2 ? codes[flat / 2] & 15 : codes[flat / 2] >> 4] * absmax[flat / s.block_size];
            exact += double(w) * double(x[i * s.k + j]);
            magnitude += std::fabs(double(w) * double(x[i * s.k + j]));
          }
          check_product(report, out, i * s.n + row, exact, magnitude, s.k);
        }
      report.blocks += s.n;
    }
}

void test_gemm(const Kernels &simd) {
  if (!simd.gemm) return;
  Report report{simd.isa, "gemm"};
  for (int round = 0; round < 60; round++)
    for (const hb_dtype weight_dtype : dtypes) {
      const uint64_t m = round < 12 ? uint64_t(round) + 1 : 1 + below(round % 4 ? 70 : 300), n = 1 + below(round % 2 ? 20 : 150), k = round == 0 ? 0 : 1 + below(1700);
      std::vector<float> w(n * k), x(m * k), bias(n);
      for (auto *values : {&w, &x, &bias})
        for (auto &v : *values) v = normal();
      const Buffer weight(w, weight_dtype);
      Buffer out(m * n, dtypes[round % 3]);
      const bool biased = round % 2;
      simd.gemm(x.data(), weight.in(), biased ? bias.data() : nullptr, m, n, k, 0, n, out.out());
      for (uint64_t row = 0; row < n; row++)
        for (uint64_t i = 0; i < m; i++) {
          double exact = biased ? bias[row] : 0, magnitude = std::fabs(exact);
          for (uint64_t j = 0; j < k; j++) {
            const double product = double(weight.at(row * k + j)) * double(x[i * k + j]);
            exact += product;
            magnitude += std::fabs(product);
          }
          check_product(report, out, i * n + row, exact, magnitude, k);
        }
      report.blocks += n;
    }
}

void test_gemm_transposed(const Kernels &simd) {
  if (!simd.gemm_transposed) return;
  Report report{simd.isa, "gemm_transposed"};
  for (int round = 0; round < 90; round++)
    for (const hb_dtype weight_dtype : dtypes) {
      const uint64_t m = round % 3 == 0 ? 1 : round == 1 ? 110 : 1 + below(40), begin = round % 4 ? 0 : below(m);
      const uint64_t n = round == 0 ? 0 : 1 + below(400), k = round == 3 ? 5000 : 1 + below(200);
      std::vector<float> w(n * k), x(m * n), bias(k);
      for (auto *values : {&w, &x, &bias})
        for (auto &v : *values) v = normal();
      const Buffer weight(w, weight_dtype);
      Buffer out(m * k, dtypes[round / 3 % 3]);
      const bool biased = round % 2;
      const uint64_t middle = begin + below(m - begin + 1);
      for (const auto &[first, last] : {std::pair(begin, middle), std::pair(middle, m)})
        if (first < last) simd.gemm_transposed(x.data(), weight.in(), biased ? bias.data() : nullptr, m, n, k, first, last, out.out());
      if (begin == 0) {
        Buffer whole(m * k, out.dtype);
        simd.gemm_transposed(x.data(), weight.in(), biased ? bias.data() : nullptr, m, n, k, 0, m, whole.out());
        report.same(out.bytes, whole.bytes, "cut");
      }
      for (uint64_t i = begin; i < m; i++)
        for (uint64_t column = 0; column < k; column++) {
          double exact = biased ? bias[column] : 0, magnitude = std::fabs(exact);
          for (uint64_t j = 0; j < n; j++) {
            const double product = double(weight.at(j * k + column)) * double(x[i * n + j]);
            exact += product;
            magnitude += std::fabs(product);
          }
          check_product(report, out, i * k + column, exact, magnitude, n);
        }
      report.blocks += m - begin;
    }
}

void test_int8_rows(const Kernels &simd) {
  if (!simd.int8_row_stats || !simd.int8_row_quant) return;
  Report report{simd.isa, "int8_row_stats, _quant"};
  for (const hb_dtype dtype : dtypes)
    for (int round = 0; round < 400; round++) {
      const uint64_t k = 1 + below(300), rows = 9, begin = round % 3 ? 0 : 2;
      std::vector<float> values(rows * k);
      for (uint64_t r = 0; r < rows; r++) {
        const uint64_t kind = below(8);
        const float scale = kind == 0 ? 0 : kind == 1 ? from_bits(uint32_t(below(1 << 24))) : kind == 2 ? 1e38f : 2;
        for (uint64_t i = 0; i < k; i++) values[r * k + i] = kind == 3 ? float(int(below(255)) - 127) / 2 : normal() * scale;
        if (kind == 3) values[r * k] = 127;
        if (round % 5 == 0 && below(3) == 0) values[r * k + below(k)] = below(2) ? NAN : -INFINITY;
      }
      const Buffer x(values, dtype);
      const float threshold = round % 2 ? 3.0f : 0.0f;
      std::vector<float> stats(rows, -7), want_stats(stats);
      std::vector<uint8_t> mask(k, 0), want_mask(mask);
      const int64_t fault = simd.int8_row_stats(x.in(), k, threshold, round % 7 != 0, begin, rows, stats.data(), mask.data());
      const int64_t want_fault = scalar_kernels.int8_row_stats(x.in(), k, threshold, round % 7 != 0, begin, rows, want_stats.data(), want_mask.data());
      report.same(stats, want_stats, "stats");
      report.same(mask, want_mask, "mask");
      report.same(fault, want_fault, "fault");
      std::vector<int8_t> q(rows * k, 99), want(q);
      const uint8_t *const given = round % 4 < 2 ? want_mask.data() : nullptr;
      simd.int8_row_quant(x.in(), k, threshold, want_stats.data(), given, begin, rows, q.data());
      scalar_kernels.int8_row_quant(x.in(), k, threshold, want_stats.data(), given, begin, rows, want.data());
      report.same(q, want, "q");
      report.blocks += rows;
    }
}

void test_int8_row_dequant(const Kernels &simd) {
  if (!simd.int8_row_dequant) return;
  Report report{simd.isa, "int8_row_dequant"};
  for (int round = 0; round < 100; round++) {
    const bool large = round == 0;  // streaming stores
    const uint64_t k = large ? 1 << 20 : 1 + below(300), rows = large ? 9 : 7, begin = large ? 0 : below(rows);
    std::vector<int8_t> q(rows * k);
    for (auto &v : q) v = int8_t(engine());
    std::vector<float> stats(rows), want(rows * k, -7);
    std::unique_ptr<float, void (*)(void *)> got(static_cast<float *>(std::aligned_alloc(64, (rows * k * 4 + 63) / 64 * 64)), std::free);
    std::copy(want.begin(), want.end(), got.get());
    for (auto &v : stats) v = below(5) == 0 ? from_bits(uint32_t(below(1 << 24))) : std::fabs(normal());
    simd.int8_row_dequant(q.data(), stats.data(), k, begin, rows, got.get());
    scalar_kernels.int8_row_dequant(q.data(), stats.data(), k, begin, rows, want.data());
    report.same(std::vector<float>(got.get(), got.get() + rows * k), want, "values");
    report.blocks += rows;
  }
}

void test_int8_mm_dequant(const Kernels &simd) {
  if (!simd.int8_mm_dequant) return;
  Report report{simd.isa, "int8_mm_dequant"};
  for (int round = 0; round < 120; round++)
    for (const hb_dtype dtype : dtypes) {
      const uint64_t n = 1 + below(100), rows = 6, begin = below(rows);
      std::vector<int32_t> sums(rows * n);
      for (auto &v : sums) v = below(6) == 0 ? int32_t(engine()) : int32_t(below(1 << 20)) - (1 << 19);
      std::vector<float> row_stats(rows), col_stats(n), bias(n);
      for (auto *values : {&row_stats, &col_stats, &bias})
        for (auto &v : *values) v = normal();
      const float *const given = round % 2 ? bias.data() : nullptr;
      const hb_profile profile = round % 3 ? HB_REFERENCE : HB_CUDA;
      Buffer out(rows * n, dtype), want(rows * n, dtype);
      simd.int8_mm_dequant(sums.data(), row_stats.data(), col_stats.data(), given, round % 5 == 0, n, profile, begin, rows, out.out());
      scalar_kernels.int8_mm_dequant(sums.data(), row_stats.data(), col_stats.data(), given, round % 5 == 0, n, profile, begin, rows, want.out());
      report.same(out.bytes, want.bytes, dtype_names[dtype]);
      report.blocks += rows;
    }
}

void test_int8_matmul(const Kernels &simd) {
  if (!simd.int8_matmul) return;
  Report report{simd.isa, "int8_matmul"};
  for (int round = 0; round < 300; round++) {
    const uint64_t m = round % 3 == 2 ? 20 + below(20) : 1 + below(20), n = 1 + below(round % 3 == 2 ? 200 : 40);
    const uint64_t k = round == 0 ? 0 : round % 10 == 0 ? 4000 + below(3000) : 1 + below(400), stride = n + below(3);
    std::vector<int8_t> a(m * k), b(n * k);
    for (auto &v : a) v = round % 4 ? int8_t(engine()) : int8_t(-128);
    for (auto &v : b) v = round % 4 != 1 ? int8_t(engine()) : int8_t(round % 2 ? -128 : 127);
    std::vector<int32_t> out(m * stride, 77), want(out);
    simd.int8_matmul(a.data(), b.data(), m, n, k, out.data(), stride);
    scalar_kernels.int8_matmul(a.data(), b.data(), m, n, k, want.data(), stride);
    report.same(out, want, "product");
    report.blocks += m;
  }
}

void test_int8_matmul_packed(const Kernels &simd) {
  if (!simd.int8_matmul_packed) return;
  Report report{simd.isa, "int8_matmul_packed"};
  for (int round = 0; round < 300; round++) {
    const uint64_t m = round % 50 == 0 ? 1030 : 1 + below(20), n = 1 + below(200), begin = below((n + 63) / 64) * 64;
    const uint64_t k = round == 0 ? 0 : round % 25 == 1 ? 8000 + below(9000) : 1 + below(400);
    const uint64_t end = begin + 64 < n && round % 2 ? begin + 64 : n, stride = end - begin + below(3);
    std::vector<int8_t> a(m * k), b(n * k);
    for (auto &v : a) v = round % 3 ? int8_t(engine()) : int8_t(-128);
    for (auto &v : b) v = round % 3 != 1 ? int8_t(engine()) : int8_t(round % 2 ? -128 : 127);
    const PackedInt8 shape{n, k};
    std::vector<uint8_t> packed(shape.bytes() + 1, 1);
    pack_int8(b.data(), shape, 0, shape.panels(), packed.data());
    std::vector<int32_t> out(m * stride, 77), want(out), all(m * n);
    simd.int8_matmul_packed(a.data(), packed.data(), m, n, k, begin, end, out.data(), stride);
    scalar_kernels.int8_matmul(a.data(), b.data(), m, n, k, all.data(), n);
    for (uint64_t i = 0; i < m; i++) std::copy(&all[i * n + begin], &all[i * n] + end, &want[i * stride]);
    report.same(out, want, "product");
    report.blocks += m;
  }
}

// ── Optimizers ──

const hb_optimizer optimizers[] = {HB_ADAM, HB_MOMENTUM, HB_RMSPROP, HB_ADAGRAD, HB_LION, HB_ADEMAMIX};
bool has_two_states(hb_optimizer optimizer) { return optimizer == HB_ADAM || optimizer == HB_ADEMAMIX; }
uint64_t stacked_of(hb_optimizer optimizer) { return optimizer == HB_ADEMAMIX ? 2 : 1; }

hb_step step_of(int round) {
  hb_step step = {};
  step.lr = 1e-3, step.beta1 = 0.9, step.beta2 = 0.999, step.beta3 = 0.9999, step.alpha = 5, step.eps = 1e-8;
  step.weight_decay = round % 3 == 1 ? 0.02 : 0;
  step.grad_scale = round % 4 == 2 ? 0.37 : 1;
  step.step = round % 5 == 0 ? 1 : 17;
  step.skip_zeros = round % 4 == 3;
  return step;
}

/// Gradients or states of a few magnitudes; zeros of both signs, runs of zeros, subnormal and huge numbers, and if `hostile` NaN and Infinity.
std::vector<float> numbers(uint64_t size, bool hostile) {
  std::vector<float> values(size);
  float scale = 1;
  for (uint64_t i = 0; i < size; i++) {
    if (i % 64 == 0) scale = below(5) == 0 ? 0 : below(9) == 0 ? 1e-39f : below(9) == 0 ? 1e36f : std::ldexp(1.0f, int(below(30)) - 20);
    values[i] = below(6) == 0 ? (below(2) ? 0.0f : -0.0f) : normal() * scale;
    if (hostile && below(200) == 0) values[i] = below(2) ? NAN : below(2) ? INFINITY : -INFINITY;
  }
  return values;
}

/// A NaN carries whichever operand's bits came first in the instruction; which one that is no compiler promises.
std::vector<float> without_payloads(std::vector<float> values) {
  for (float &v : values) v = v != v ? NAN : v;
  return values;
}
std::vector<float> values_of(const Buffer &buffer, uint64_t size) {
  std::vector<float> values(size);
  for (uint64_t i = 0; i < size; i++) values[i] = buffer.at(i);
  return without_payloads(values);
}

const char *describe(hb_optimizer optimizer, hb_profile profile, int round, const char *what) {
  static char text[96];
  std::snprintf(text, sizeof text, "%s of optimizer %d, profile %d, round %d", what, int(optimizer), int(profile), round);
  return text;
}

void test_optimizer_32bit(const Kernels &simd) {
  if (!simd.optimizer_32bit) return;
  Report report{simd.isa, "optimizer_32bit"};
  for (const hb_optimizer optimizer : optimizers)
    for (const hb_profile profile : {HB_REFERENCE, HB_CUDA})
      for (int round = 0; round < 90; round++) {
        const uint64_t size = 1 + below(1500), begin = round % 2 ? below(size) : 0, end = round % 2 ? begin + below(size - begin + 1) : size;
        const bool hostile = round % 6 == 5;
        const hb_step step = step_of(round);
        Buffer param(numbers(size, hostile), dtypes[round % 3]), want_param(param);
        const Buffer grad(numbers(size, hostile), dtypes[round / 3 % 3]);
        std::vector<float> state1 = numbers(size * stacked_of(optimizer), hostile), state2 = numbers(size, hostile);
        for (float &v : state2) v = std::fabs(v);
        if (!has_two_states(optimizer)) state2.clear();
        std::vector<float> want1(state1), want2(state2);
        std::vector<double> norms(2, 0.5), want_norms(norms);
        const auto run = [&](const Kernels &k, MutableFloats p, std::vector<float> &s1, std::vector<float> &s2, double *sums) {
          k.optimizer_32bit(optimizer, step, profile, 0.75f, size, begin, end, p, grad.in(), s1.data(), s2.data(), sums, sums ? sums + 1 : nullptr);
        };
        run(simd, param.out(), state1, state2, norms.data());
        run(scalar_kernels, want_param.out(), want1, want2, want_norms.data());
        for (auto *pair : {&norms, &want_norms})
          for (double &norm : *pair) norm = norm != norm ? NAN : norm;
        report.same(norms, want_norms, describe(optimizer, profile, round, "norms"));
        run(simd, param.out(), state1, state2, nullptr);
        run(scalar_kernels, want_param.out(), want1, want2, nullptr);
        report.same(values_of(param, size), values_of(want_param, size), describe(optimizer, profile, round, "param"));
        report.same(without_payloads(state1), without_payloads(want1), describe(optimizer, profile, round, "state1"));
        report.same(without_payloads(state2), without_payloads(want2), describe(optimizer, profile, round, "state2"));
        report.blocks++;
      }
}

/// Block scales of every kind.
std::vector<float> scales(uint64_t count, bool hostile) {
  std::vector<float> values(count);
  for (float &v : values) {
    const uint64_t kind = below(10);
    v = kind == 0 ? 0 : kind == 1 ? from_bits(uint32_t(below(1 << 24))) : kind == 2 ? 3e38f : std::ldexp(std::fabs(normal()), int(below(40)) - 30);
    if (hostile && kind == 3) v = below(2) ? NAN : INFINITY;
  }
  return values;
}

void test_optimizer_8bit(const Kernels &simd) {
  if (!simd.optimizer_8bit) return;
  Report report{simd.isa, "optimizer_8bit"};
  const std::vector<Map8> maps = maps8();
  const Map8 &second = maps[1];
  for (const hb_optimizer optimizer : optimizers)
    for (const hb_profile profile : {HB_REFERENCE, HB_CUDA})
      for (const uint64_t block_size : {uint64_t(256), uint64_t(64), uint64_t(2048), uint64_t(100), uint64_t(8192)})
        for (int round = 0; round < (block_size == 256 ? 90 : 30); round++) {
          const uint64_t size = 1 + below(block_size < 2048 ? 20 * block_size : 4 * block_size), blocks = (size + block_size - 1) / block_size;
          const uint64_t begin = round % 2 ? below(blocks) : 0, end = round % 2 ? begin + below(blocks - begin + 1) : blocks;
          const bool hostile = round % 6 == 5;
          const hb_step step = step_of(round);
          const Map8 &map1 = round % 7 == 6 ? maps[below(maps.size())] : optimizer == HB_RMSPROP || optimizer == HB_ADAGRAD ? second : maps[0];
          const Map8 &map2 = round % 8 == 7 ? maps[below(maps.size())] : second;
          Buffer param(numbers(size, hostile), dtypes[round % 3]), want_param(param);
          const Buffer grad(numbers(size, hostile), dtypes[round / 3 % 3]);
          std::vector<uint8_t> codes1(size * stacked_of(optimizer)), codes2(has_two_states(optimizer) ? size : 0);
          for (auto *codes : {&codes1, &codes2})
            for (uint8_t &c : *codes) c = uint8_t(engine());
          std::vector<float> absmax1 = scales(blocks * stacked_of(optimizer), hostile), absmax2 = scales(codes2.empty() ? 0 : blocks, hostile);
          std::vector<uint8_t> want1(codes1), want2(codes2);
          std::vector<float> want_absmax1(absmax1), want_absmax2(absmax2);
          for (int again = 0; again < 2; again++) {
            simd.optimizer_8bit(optimizer, step, profile, size, block_size, begin, end, param.out(), grad.in(), codes1.data(), codes2.data(), map1, &map2,
                                absmax1.data(), absmax2.data());
            scalar_kernels.optimizer_8bit(optimizer, step, profile, size, block_size, begin, end, want_param.out(), grad.in(), want1.data(), want2.data(), map1,
                                          &map2, want_absmax1.data(), want_absmax2.data());
          }
          report.same(values_of(param, size), values_of(want_param, size), describe(optimizer, profile, round, "param"));
          report.same(codes1, want1, describe(optimizer, profile, round, "codes1"));
          report.same(codes2, want2, describe(optimizer, profile, round, "codes2"));
          report.same(without_payloads(absmax1), without_payloads(want_absmax1), describe(optimizer, profile, round, "absmax1"));
          report.same(without_payloads(absmax2), without_payloads(want_absmax2), describe(optimizer, profile, round, "absmax2"));
          report.blocks += blocks;
        }
}

void test_table(const Kernels &simd) {
  test_dequantize_4bit(simd);
  test_gemm_4bit(simd);
  test_quantize_4bit(simd);
  test_dequantize_blockwise(simd);
  test_measure_segment(simd);
  test_quantize_blockwise(simd);
  test_quantize_bounds(simd);
  test_int8_rows(simd);
  test_int8_row_dequant(simd);
  test_int8_matmul(simd);
  test_int8_matmul_packed(simd);
  test_int8_mm_dequant(simd);
  test_gemm(simd);
  test_gemm_transposed(simd);
  test_optimizer_32bit(simd);
  test_optimizer_8bit(simd);
}

}  // namespace

int main() {
  test_int8_matmul_packed(scalar_kernels);
  for (const Kernels *table : runnable_tables())
    if (table != &scalar_kernels) test_table(*table);
  std::printf("%llu blocks and rows, %d entries differ\n", static_cast<unsigned long long>(checks), failures);
  return failures > 0;
}
