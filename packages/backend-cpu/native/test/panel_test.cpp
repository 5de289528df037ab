// Packing of 4-bit weights and products with them, every instruction set and accuracy, against float64 within the bounds of kernels.h.
// Shapes: tails of rows, rows that begin inside a block, all block sizes, up to tiled products; every dtype, tables made at run time. Buffers are exact in
// size. A product must be the same to the bit however panels and rows of x are cut. Prints a line per instruction set and accuracy; exits 1 on failure.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "halfbyte_formats.h"
#include "../activations.h"
#include "../float_array.h"
#include "../dispatch.h"
#include "../kernels.h"
#include "../packed_4bit.h"

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
const hb_dtype dtypes[] = {HB_FLOAT32, HB_FLOAT16, HB_BFLOAT16};
const char *const accuracy_names[] = {"exact", "fast", "turbo"};

int failures = 0;
void fail(const char *what) {
  if (failures++ < 20) std::printf("  FAILED: %s\n", what);
}

/// Values of a dtype, exact in size.
struct Buffer {
  hb_dtype dtype;
  uint64_t size;
  std::unique_ptr<uint8_t[]> bytes;
  Buffer(uint64_t count, hb_dtype type) : dtype(type), size(count), bytes(new uint8_t[count * (type == HB_FLOAT32 ? 4 : 2)]()) {}
  Buffer(const std::vector<float> &values, hb_dtype type) : Buffer(values.size(), type) { narrow(values.data(), size, out(), 0); }
  Floats in() const { return {bytes.get(), dtype}; }
  MutableFloats out() { return {bytes.get(), dtype}; }
  std::vector<float> values() const {
    std::vector<float> all(size);
    widen(in(), 0, size, all.data());
    return all;
  }
};

struct Shape {
  uint64_t m, n, k;
  uint32_t block_size;
};

struct Problem {
  Shape shape;
  std::vector<uint8_t> codes;
  std::vector<float> absmax;
  float code[16];
  Buffer x, bias;
  bool biased;
  std::unique_ptr<char[]> packed;

  Problem(const Shape &s, hb_dtype dtype, const float *table, const std::vector<float> &values)
      : shape(s), codes(s.n * s.k / 2), absmax((s.n * s.k + s.block_size - 1) / s.block_size), x(values, dtype), bias(noise(s.n), dtypes[below(3)]),
        biased(below(2)), packed(new char[layout().bytes()]) {
    std::memcpy(code, table, sizeof code);
    for (auto &byte : codes) byte = uint8_t(engine());
    for (auto &scale : absmax) scale = std::fabs(normal()) + 0.01f;
    const uint64_t middle = below(layout().panels() + 1);
    pack_4bit(codes.data(), absmax.data(), s.n, s.k, s.block_size, 0, middle, packed.get());
    pack_4bit(codes.data(), absmax.data(), s.n, s.k, s.block_size, middle, layout().panels(), packed.get());
  }
  static std::vector<float> noise(uint64_t count) {
    std::vector<float> values(count);
    for (auto &value : values) value = normal();
    return values;
  }
  PackedLayout layout() const { return {shape.n, shape.k, shape.block_size}; }
  float weight(uint64_t row, uint64_t column) const {
    const uint64_t flat = row * shape.k + column;
    return code[flat % 2 ? codes[flat / 2] & 15 : codes[flat / 2] >> 4] * absmax[flat / shape.block_size];
  }
};

using Prepared = std::unique_ptr<char[]>;

/// Null when the accuracy does not suit.
Prepared prepare(const Kernels &kernels, const Problem &p, hb_accuracy accuracy, uint64_t cut) {
  const ActivationLayout layout{accuracy, p.shape.m, p.shape.k, p.layout().piece()};
  Prepared prepared(new char[layout.bytes()]);
  bool suits = true;
  for (const auto &[begin, end] : {std::pair(uint64_t(0), cut), std::pair(cut, p.shape.m)})
    suits = suits && (begin == end || kernels.prepare_activations(accuracy, p.x.in(), p.code, p.shape.block_size, p.shape.m, p.shape.k, begin, end, prepared.get()));
  return suits ? std::move(prepared) : nullptr;
}

std::vector<float> multiply(const Kernels &kernels, const Problem &p, hb_accuracy accuracy, const Prepared &prepared, hb_dtype dtype, uint64_t cut) {
  Buffer out(p.shape.m * p.shape.n, dtype);
  const Floats bias{p.biased ? p.bias.in().data : nullptr, p.bias.dtype};
  for (const auto &[begin, end] : {std::pair(cut, p.layout().panels()), std::pair(uint64_t(0), cut)})
    kernels.gemm_4bit_packed(accuracy, prepared.get(), p.packed.get(), p.code, p.shape.block_size, bias, p.shape.m, p.shape.n, p.shape.k, begin, end, out.out());
  return out.values();
}

struct Exact {
  std::vector<double> sum, magnitude;
};
Exact in_float64(const Problem &p) {
  const std::vector<float> x = p.x.values(), bias = p.bias.values();
  Exact exact{std::vector<double>(p.shape.m * p.shape.n), std::vector<double>(p.shape.m * p.shape.n)};
  std::vector<double> row(p.shape.k);
  for (uint64_t n = 0; n < p.shape.n; n++) {
    for (uint64_t k = 0; k < p.shape.k; k++) row[k] = p.weight(n, k);
    for (uint64_t m = 0; m < p.shape.m; m++) {
      double sum = p.biased ? bias[n] : 0, magnitude = 0;
      for (uint64_t k = 0; k < p.shape.k; k++) {
        sum += row[k] * x[m * p.shape.k + k];
        magnitude += std::fabs(row[k] * x[m * p.shape.k + k]);
      }
      exact.sum[m * p.shape.n + n] = sum;
      exact.magnitude[m * p.shape.n + n] = magnitude;
    }
  }
  return exact;
}

struct Report {
  const char *isa;
  hb_accuracy accuracy;
  uint64_t products = 0, bad = 0, unsuitable = 0;
  double errors = 0, squares = 0, worst = 0;

  void compare(const Problem &p, const Exact &exact, const std::vector<float> &got, hb_dtype dtype) {
    const double u = dtype == HB_FLOAT32 ? 0x1p-24 : dtype == HB_FLOAT16 ? 0x1p-11 : 0x1p-8;
    const double c = accuracy == HB_EXACT ? 4 * std::sqrt(double(p.shape.k)) * 0x1p-24 : accuracy == HB_FAST ? 0x1p-13 : 0x1p-6;
    for (size_t i = 0; i < got.size(); i++) {
      const double error = std::fabs(got[i] - exact.sum[i]), allowed = u * std::fabs(exact.sum[i]) + c * exact.magnitude[i] + (dtype == HB_FLOAT16 ? 0x1p-25 : 0);
      products++;
      if (dtype == HB_FLOAT32 && p.shape.k >= 512) errors += error * error, squares += exact.sum[i] * exact.sum[i];
      if (error > worst * allowed) worst = error / allowed;
      if (error <= allowed) continue;
      if (bad++ < 5)
        std::printf("  %s %s m %llu n %llu k %llu block %u at %zu: got %g, exact %g, allowed %g\n", isa, accuracy_names[accuracy], static_cast<unsigned long long>(p.shape.m),
                    static_cast<unsigned long long>(p.shape.n), static_cast<unsigned long long>(p.shape.k), p.shape.block_size, i, double(got[i]), exact.sum[i], allowed);
    }
  }
  ~Report() {
    std::printf("%-7s %-6s %9llu sums, %llu bad, worst %.2f of the bound, relative rms error (f32, k >= 512) %.2e, %llu unsuitable\n", isa, accuracy_names[accuracy],
                static_cast<unsigned long long>(products), static_cast<unsigned long long>(bad), worst, std::sqrt(errors / squares), static_cast<unsigned long long>(unsuitable));
    std::fflush(stdout);
    if (bad) failures++;
  }
};

std::vector<Shape> shapes() {
  std::vector<Shape> all = {{1, 1, 8, 64}, {1, 64, 64, 64}, {1, 65, 4000, 64}, {3, 130, 4072, 64}, {2, 70, 4096, 4096}, {1, 66, 11008, 4096}, {5, 20, 8, 4096}, {1, 200, 896, 64},
                            {130, 70, 512, 64}, {97, 65, 1000, 64}, {260, 20, 256, 32}, {96, 64, 4096, 64}, {140, 64, 2048, 4096}, {133, 10, 136, 128}, {100, 3, 8, 64}};
  for (uint64_t m = 1; m <= 26; m++) all.push_back({m, 1 + below(140), 64 * (1 + below(12)), 64});
  for (const uint32_t block_size : {32u, 64u, 128u, 256u, 512u, 1024u, 2048u, 4096u})
    for (int i = 0; i < 6; i++) all.push_back({1 + below(i < 3 ? 3 : 30), 1 + below(200), 8 * (1 + below(700)), block_size});
  return all;
}

void test_products(const Kernels &kernels) {
  float even[16], random[16], halves[16];
  for (int i = 0; i < 16; i++) even[i] = float(i) / 7.5f - 1, halves[i] = (float(i) - 8) / 3, random[i] = float(below(2000)) / 1000 - 1;
  const float *const tables[] = {nf4, fp4, even, random, halves};
  for (const hb_accuracy accuracy : {HB_EXACT, HB_FAST, HB_TURBO}) {
    Report report{kernels.isa, accuracy};
    int round = 0;
    for (const Shape &shape : shapes()) {
      const hb_dtype dtype = dtypes[round % 3];
      const Problem p(shape, dtype, tables[round++ % 5], Problem::noise(shape.m * shape.k));
      const Prepared prepared = prepare(kernels, p, accuracy, below(shape.m + 1));
      if (!prepared) {
        report.unsuitable++;
        continue;
      }
      const Exact exact = in_float64(p);
      for (const hb_dtype out : {HB_FLOAT32, dtype}) {
        const std::vector<float> got = multiply(kernels, p, accuracy, prepared, out, below(p.layout().panels() + 1));
        report.compare(p, exact, got, out);
        const Prepared again = prepare(kernels, p, accuracy, below(shape.m + 1));
        const std::vector<float> cut = multiply(kernels, p, accuracy, again, out, 0);
        if (std::memcmp(got.data(), cut.data(), got.size() * sizeof(float)) != 0) fail("the cut of panels or rows changes a result");
      }
    }
    if (report.unsuitable * 10 > uint64_t(round)) fail("too many ordinary activations are unsuitable");
  }
}

/// Activations at the edges: what an accuracy takes must be within its bound, the rest is refused.
void test_extremes(const Kernels &kernels) {
  const Shape shape{4, 70, 2048, 64};
  const uint64_t size = shape.m * shape.k;
  Report exactly{kernels.isa, HB_EXACT}, fast{kernels.isa, HB_FAST};
  const auto check = [&](const char *what, const std::vector<float> &values, bool fast_takes) {
    const Problem p(shape, HB_FLOAT32, nf4, values);
    const Exact exact = in_float64(p);
    for (const hb_accuracy accuracy : {HB_EXACT, HB_FAST}) {
      const Prepared prepared = prepare(kernels, p, accuracy, 1);
      if (bool(prepared) != (accuracy == HB_EXACT || fast_takes)) fail(what);
      if (prepared) (accuracy == HB_EXACT ? exactly : fast).compare(p, exact, multiply(kernels, p, accuracy, prepared, HB_FLOAT32, 1), HB_FLOAT32);
    }
  };
  const auto noise_times = [&](float scale) {
    std::vector<float> values = Problem::noise(size);
    for (auto &value : values) value *= scale;
    return values;
  };
  check("zeros", std::vector<float>(size, 0.0f), true);
  check("constants", std::vector<float>(size, 0.3f), true);
  check("large", noise_times(1e20f), true);
  check("small", noise_times(1e-20f), true);
  check("huge", noise_times(1e36f), false);
  check("tiny", noise_times(1e-30f), false);
  std::vector<float> values = Problem::noise(size);
  for (uint64_t i = 0; i < size; i += 200) values[i] *= 30;
  check("outliers", values, true);
  for (uint64_t i = 0; i < size; i += 64) values[i] = 1e4f;
  check("an outlier in every block", values, false);
  values.assign(size, 0.0f);
  for (uint64_t i = 0; i < size; i += 100) values[i] = normal();
  check("sparse", values, true);
}

/// NaN and Infinity are refused by the integer accuracies and go through exact as through the sums of a reference.
void test_non_finite(const Kernels &kernels) {
  const Shape shape{3, 70, 256, 64};
  for (const float special : {float(NAN), INFINITY, -INFINITY}) {
    std::vector<float> values = Problem::noise(shape.m * shape.k);
    values[shape.k + below(shape.k)] = special;
    const Problem p(shape, HB_FLOAT32, nf4, values);
    if (prepare(kernels, p, HB_FAST, 1) || prepare(kernels, p, HB_TURBO, 1)) fail("a value that is not finite was taken for an integer");
    const Exact exact = in_float64(p);
    const std::vector<float> got = multiply(kernels, p, HB_EXACT, prepare(kernels, p, HB_EXACT, 2), HB_FLOAT32, 1);
    for (size_t i = 0; i < got.size(); i++) {
      const bool same = std::isfinite(exact.sum[i]) ? std::isfinite(got[i]) : std::isnan(exact.sum[i]) ? std::isnan(got[i]) : double(got[i]) == exact.sum[i];
      if (!same) fail("a value that is not finite goes elsewhere");
    }
  }
}

/// Tables that integers cannot hold.
void test_tables(const Kernels &kernels) {
  const Shape shape{2, 64, 128, 64};
  const auto refused = [&](const float *table) { return !prepare(kernels, Problem(shape, HB_FLOAT32, table, Problem::noise(256)), HB_FAST, 1); };
  float table[16] = {};
  if (!refused(table)) fail("a table of zeros");
  for (int i = 0; i < 16; i++) table[i] = i == 3 ? NAN : nf4[i];
  if (!refused(table)) fail("a table with NaN");
  for (int i = 0; i < 16; i++) table[i] = i == 15 ? 1 : 1e-5f * float(i);
  if (!refused(table)) fail("a table with one large entry");
  for (int i = 0; i < 16; i++) table[i] = 1e20f * nf4[i];
  if (!refused(table)) fail("a table of huge entries");
  if (refused(nf4) || refused(fp4)) fail("NF4 and FP4 are not taken");
}

void test_table(const Kernels &kernels) {
  test_products(kernels);
  test_extremes(kernels);
  test_non_finite(kernels);
  test_tables(kernels);
}

}  // namespace

int main() {
  const bool refused = !PackedLayout{4, 12, 64}.possible() && !PackedLayout{4, 0, 64}.possible() && !PackedLayout{4, 64, 0}.possible() && !PackedLayout{4, 64, 8192}.possible();
  if (!refused || !PackedLayout{1, 8, 4096}.possible()) fail("which shapes can be packed");
  for (const Kernels *table : runnable_tables())
    if (table->gemm_4bit_packed) test_table(*table);
  std::printf("%d failures\n", failures);
  return failures > 0;
}
