// hb_gemm_4bit: every shape of the targets, and its error against a float64 product of the unrounded weight, beside the error that a dense
// product with a weight rounded to the same dtype has.
#include "bench.h"
#include "halfbyte_formats.h"
#include "operands.h"

namespace hb::bench {

namespace {

constexpr uint32_t kBlock = 64, kNestedBlock = 256;
constexpr uint64_t kSampledColumns = 24, kSampledRows = 24;

struct Shape {
  uint64_t m, n, k;

  uint64_t weights() const { return n * k; }
  uint64_t bytes(hb_dtype dtype, bool nested = false) const {
    const uint64_t blocks = weights() / kBlock;
    return weights() / 2 + (nested ? blocks + blocks / kNestedBlock * 4 : blocks * 4) + (m * k + m * n) * width_of(dtype);
  }
};

Row row_of(bool nested, hb_dtype dtype, const Shape &shape) {
  const std::string name = std::string(nested ? "nf4 nested" : "nf4") + " M=" + std::to_string(shape.m) + " " + std::to_string(shape.n) + "x" + std::to_string(shape.k);
  return {"gemm_4bit", name, name_of(dtype), {shape.m, shape.n, shape.k}, shape.bytes(dtype, nested), 2 * shape.m * shape.weights()};
}

// What all copies of the operands are made of.
struct Patterns {
  std::vector<uint8_t> codes = byte_pattern(), absmax_codes = byte_pattern();
  std::vector<float> absmax = positive_pattern(), x = normal_pattern();

  float weight(uint64_t element) const {
    const uint8_t byte = codes[element / 2 % kPattern];
    return HB_NF4_CODE[element % 2 ? byte & 15 : byte >> 4] * absmax[element / kBlock % kPattern];
  }
};

struct Operands {
  Tensor x, codes, absmax, out;
};

class Product {
 public:
  Product(Bench &bench, const Patterns &patterns, hb_dtype dtype, Shape shape)
      : bench_(bench), patterns_(patterns), dtype_(dtype), shape_(shape), table_(bench.queue, sizeof HB_NF4_CODE, bytes_of(HB_NF4_CODE, 16)) {
    const int copies = bench.copies(shape.bytes(dtype));
    const std::vector<uint8_t> x = stored(patterns.x, dtype), absmax = stored(patterns.absmax, HB_FLOAT32);
    for (int i = 0; i < copies; i++) {
      sets_.push_back({Tensor(bench.queue, shape.m * shape.k * width_of(dtype), x), Tensor(bench.queue, shape.weights() / 2, patterns.codes),
                       Tensor(bench.queue, shape.weights() / kBlock * 4, absmax), Tensor(bench.queue, shape.m * shape.n * width_of(dtype))});
    }
  }

  Timing time() {
    return bench_.clock.measure(static_cast<int>(sets_.size()), [this](int i) { multiply(sets_[i]); });
  }

  // Scales that are codes themselves.
  Timing time_nested() {
    const uint64_t blocks = shape_.weights() / kBlock;
    std::vector<std::pair<Tensor, Tensor>> scales;
    for (size_t i = 0; i < sets_.size(); i++)
      scales.emplace_back(Tensor(bench_.queue, blocks, patterns_.absmax_codes),
                          Tensor(bench_.queue, (blocks / kNestedBlock + 1) * 4, stored(patterns_.absmax, HB_FLOAT32)));
    const Tensor table(bench_.queue, 1024, stored(normal_pattern(), HB_FLOAT32));
    return bench_.clock.measure(static_cast<int>(sets_.size()), [&](int i) {
      const auto &[codes, absmax] = scales[i];
      must(hb_gemm_4bit_nested(bench_.queue, sets_[i].x, dtype_, sets_[i].codes.as<uint8_t>(), codes.as<uint8_t>(), absmax.as<float>(), table.as<float>(),
                               kNestedBlock, 0.02f, table_.as<float>(), kBlock, accuracy(), nullptr, 0, shape_.m, shape_.n, shape_.k, sets_[i].out));
    });
  }

  // RMS(y − r) / RMS(r) over sampled elements: of the library, and of a dense product.
  void measure_errors(Row &row) const {
    const std::vector<uint8_t> y = sets_.front().out.read();
    double error = 0, dense = 0, size = 0;
    for (uint64_t column = 0; column < shape_.n; column += stride(shape_.n, kSampledColumns)) {
      for (uint64_t line = 0; line < shape_.m; line += stride(shape_.m, kSampledRows)) {
        const auto [r, of_dense] = expected(line, column);
        const double found = element(y, dtype_, line * shape_.n + column);
        error += (found - r) * (found - r);
        dense += (of_dense - r) * (of_dense - r);
        size += r * r;
      }
    }
    row.relative_error = std::sqrt(error / size);
    row.dense_error = std::sqrt(dense / size);
  }

 private:
  static std::vector<uint8_t> bytes_of(const float *values, size_t count) { return stored(std::vector<float>(values, values + count), HB_FLOAT32); }
  static uint64_t stride(uint64_t count, uint64_t sampled) { return std::max<uint64_t>(1, count / sampled); }

  hb_accuracy accuracy() const { return dtype_ == HB_FLOAT32 ? HB_EXACT : HB_FAST; }

  void multiply(const Operands &set) const {
    must(hb_gemm_4bit(bench_.queue, set.x, dtype_, set.codes.as<uint8_t>(), set.absmax.as<float>(), nullptr, table_.as<float>(), kBlock, accuracy(), nullptr, 0,
                      shape_.m, shape_.n, shape_.k, set.out));
  }

  // In float64 with the weight as it is, and with the weight and the result rounded.
  std::pair<double, double> expected(uint64_t line, uint64_t column) const {
    double r = 0, dense = 0;
    for (uint64_t i = 0; i < shape_.k; i++) {
      const double x = rounded(patterns_.x[(line * shape_.k + i) % kPattern], dtype_);
      const float w = patterns_.weight(column * shape_.k + i);
      r += x * w;
      dense += x * rounded(w, dtype_);
    }
    return {r, rounded(static_cast<float>(dense), dtype_)};
  }

  Bench &bench_;
  const Patterns &patterns_;
  const hb_dtype dtype_;
  const Shape shape_;
  const Tensor table_;
  std::vector<Operands> sets_;
};

void run_one(Bench &bench, const Patterns &patterns, hb_dtype dtype, Shape shape, bool nested) {
  Row row = row_of(nested, dtype, shape);
  if (!bench.wants(row.op + " " + row.name)) return;
  try {
    Product product(bench, patterns, dtype, shape);
    const Timing timing = nested ? product.time_nested() : product.time();
    if (!nested) product.measure_errors(row);
    print(row, timing);
  } catch (const Refused &refused) {
    print_refused(row, refused.status);
  }
}

}  // namespace

void run_products_4bit(Bench &bench) {
  const Patterns patterns;
  if (bench.is_tiny) {
    for (const hb_dtype dtype : {HB_FLOAT32, HB_FLOAT16, HB_BFLOAT16}) run_one(bench, patterns, dtype, {3, 64, 256}, false);
    return run_one(bench, patterns, HB_BFLOAT16, {1, 64, 256}, true);
  }
  const uint64_t lines[] = {1, 2, 3, 4, 8, 16, 32, 64, 128, 512};
  const std::pair<uint64_t, uint64_t> weights[] = {{8192, 28672}, {28672, 8192}, {8192, 8192}, {4096, 14336}, {14336, 4096}, {4096, 4096}};
  for (const auto &[n, k] : weights)
    for (const uint64_t m : lines) run_one(bench, patterns, HB_BFLOAT16, {m, n, k}, false);
  for (const hb_dtype dtype : {HB_FLOAT16, HB_FLOAT32})
    for (const auto &[n, k] : {weights[0], weights[3]})
      for (const uint64_t m : lines) run_one(bench, patterns, dtype, {m, n, k}, false);
  for (const uint64_t m : {1, 2, 4, 8, 16, 128}) run_one(bench, patterns, HB_BFLOAT16, {m, 8192, 28672}, true);
}

}  // namespace hb::bench
