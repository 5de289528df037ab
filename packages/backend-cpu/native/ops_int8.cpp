// LLM.int8(): row-wise quantization, the integer product, and its scaled results.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "enqueue.h"
#include "float_array.h"

using namespace hb;

namespace {

constexpr uint64_t kTileRows = 16;

double row_cost(uint64_t k) { return total(cost_of(cost::int8_row, &Kernels::int8_row_quant), k); }
double product_cost() { return cost_of(cost::int8_multiply_add, &Kernels::int8_matmul); }
double scale_cost() { return cost_of(cost::scale, &Kernels::int8_mm_dequant); }

// ── Quantization ──

// The outlier columns of all rows: each thread marks its own mask, and marks are merged, so that their order does not matter.
class OutlierMasks {
 public:
  OutlierMasks(int threads, uint64_t k) : k_(k), threads_(threads) {}

  void take() {
    marks_.take(threads_ * k_);
    std::memset(marks_.data(), 0, threads_ * k_);
  }
  uint8_t *of(int slot) const { return marks_.data() + slot * k_; }
  void merge(uint8_t *out) const {
    std::memcpy(out, marks_.data(), k_);
    for (int slot = 1; slot < threads_; slot++) {
      for (uint64_t c = 0; c < k_; c++) out[c] |= of(slot)[c];
    }
  }

 private:
  uint64_t k_;
  int threads_;
  memory::Later<uint8_t> marks_;
};

struct RowMeasure {
  RowMeasure(int threads, uint64_t k) : masks(threads, k) {}
  OutlierMasks masks;
  LowestIndex lowest;
};

void measure_rows(Task &task, int threads, Floats x, uint64_t rows, uint64_t k, float threshold, float *row_stats, uint8_t *outlier_columns,
                  int64_t *fault) {
  const auto measure = std::make_shared<RowMeasure>(threads, k);
  const auto begin = [=] {
    measure->masks.take();
    return Rows{rows, row_cost(k)};
  };
  task.push_back({begin, [=](uint64_t first, uint64_t end, int slot) {
                    measure->lowest.see(
                        kernels().int8_row_stats(x, k, threshold, fault != nullptr, first, end, row_stats, measure->masks.of(slot)));
                  }});
  task.push_back(once([=] {
    measure->masks.merge(outlier_columns);
    measure->lowest.store(fault);
  }));
}

// ── Integer product ──

struct Product {
  const int8_t *a, *b;
  uint64_t m, n, k;
};

// Columns [begin, end) of the product, by way of a dense tile: kernels write whole rows.
void multiply_columns(const Product &p, uint64_t begin, uint64_t end, int32_t *out) {
  const uint64_t width = end - begin;
  const int8_t *const b = p.b + begin * p.k;
  if (p.m == 1) return kernels().int8_matmul(p.a, b, width, p.k, 0, 1, out + begin);
  const memory::Scratch<int32_t> tile(p.m * width);
  kernels().int8_matmul(p.a, b, width, p.k, 0, p.m, tile.data());
  for (uint64_t row = 0; row < p.m; row++) std::memcpy(out + row * p.n + begin, tile.data() + row * width, width * sizeof(int32_t));
}

using Sums = std::function<int32_t *()>;

// Cut along the longer side: one row of a, as in decoding, is work for all threads too. `out` is asked for when the stage runs.
Stage multiply(const Product &p, const Sums &out) {
  if (p.n > p.m) {
    return loop({p.n, total(product_cost(), p.m, p.k), kTileRows}, [=](uint64_t begin, uint64_t end, int) { multiply_columns(p, begin, end, out()); });
  }
  return loop({p.m, total(product_cost(), p.n, p.k), kTileRows},
              [=](uint64_t begin, uint64_t end, int) { kernels().int8_matmul(p.a, p.b, p.n, p.k, begin, end, out()); });
}

// ── Scaled results ──

struct Scaling8 {
  const float *row_stats, *col_stats;
  Widened bias;
  bool bias_is_float16;
  hb_profile profile;

  void operator()(const int32_t *sums, uint64_t n, uint64_t begin, uint64_t end, MutableFloats out) const {
    kernels().int8_mm_dequant(sums, row_stats, col_stats, bias.data(), bias_is_float16, n, profile, begin, end, out);
  }
  // Of the rows from `first` on.
  Scaling8 from(uint64_t first) const { return {row_stats + first, col_stats, bias, bias_is_float16, profile}; }
};

MutableFloats offset_by(MutableFloats array, uint64_t elements) {
  return {static_cast<char *>(array.data) + elements * (array.dtype == HB_FLOAT32 ? 4 : 2), array.dtype};
}

// `value` rounded to the dtype.
float rounded(float value, hb_dtype dtype) {
  if (dtype == HB_FLOAT16) return widen_float16(narrow_to_float16(value));
  return dtype == HB_BFLOAT16 ? widen_bfloat16(narrow_to_bfloat16(value)) : value;
}

// ── Outlier columns ──
//
// What they add to the product: the columns of x, as they are, times the decoded weight. Sums run over the columns in ascending order in
// float64, where every product is exact.

class OutlierProduct {
 public:
  OutlierProduct(Floats x, const uint8_t *mask, const Product &p, const float *col_stats)
      : x_(x), mask_(mask), b_(p.b), col_stats_(col_stats), n_(p.n), k_(p.k) {}

  // Which columns they are; then rows of the weight can be decoded.
  Rows find() {
    for (uint64_t c = 0; c < k_; c++) {
      if (mask_[c] == 1) columns_.push_back(c);
    }
    if (columns_.empty()) return {0};
    weight_.take(columns_.size() * n_);
    return {n_, total(cost::outlier, columns_.size()), 16};
  }

  // Rows [begin, end) of b, of which only the outlier columns are wanted: a row of length 1 per element.
  void decode(uint64_t begin, uint64_t end) const {
    for (uint64_t c = begin; c < end; c++) {
      for (uint64_t i = 0; i < columns_.size(); i++) {
        float value;
        kernels().int8_row_dequant(b_ + c * k_ + columns_[i], col_stats_ + c, 1, 0, 1, &value);
        weight_[i * n_ + c] = rounded(value, x_.dtype);
      }
    }
  }

  bool is_empty() const { return columns_.empty(); }
  uint64_t columns() const { return columns_.size(); }

  // values = rounded(values) + the sums of row `row`. `sums` has n entries.
  void add_to(uint64_t row, float *values, double *sums) const {
    std::fill(sums, sums + n_, 0.0);
    for (uint64_t i = 0; i < columns_.size(); i++) {
      float factor;
      widen(x_, row * k_ + columns_[i], 1, &factor);
      const float *const weight = weight_.data() + i * n_;
      for (uint64_t c = 0; c < n_; c++) sums[c] += static_cast<double>(factor) * static_cast<double>(weight[c]);
    }
    for (uint64_t c = 0; c < n_; c++) values[c] = static_cast<float>(static_cast<double>(rounded(values[c], x_.dtype)) + sums[c]);
  }

 private:
  const Floats x_;
  const uint8_t *const mask_;
  const int8_t *const b_;
  const float *const col_stats_;
  const uint64_t n_, k_;
  std::vector<uint64_t> columns_;
  memory::Later<float> weight_;
};

// A row of every thread: values in f32, and what is added to them.
struct CorrectedRows {
  memory::Later<float> values;
  memory::Later<double> corrections;
};

// Scaled rows in f32, corrected, rounded once; without outliers, scaled rows.
Stage store_rows(int threads, const std::shared_ptr<OutlierProduct> &outliers, const Scaling8 &scale, const Sums &sums, const Product &p,
                 uint64_t first, MutableFloats out) {
  const auto rows = std::make_shared<CorrectedRows>();
  const auto begin = [=] {
    if (outliers->is_empty()) return Rows{p.m, total(scale_cost(), p.n)};
    rows->values.take(threads * p.n);
    rows->corrections.take(threads * p.n);
    return Rows{p.m, total(scale_cost() + total(cost::outlier, outliers->columns()), p.n)};
  };
  return {begin, [=](uint64_t begin_row, uint64_t end, int slot) {
            if (outliers->is_empty()) return scale(sums(), p.n, begin_row, end, out);
            float *const values = rows->values.data() + slot * p.n;
            for (uint64_t row = begin_row; row < end; row++) {
              scale.from(row)(sums() + row * p.n, p.n, 0, 1, {values, HB_FLOAT32});
              outliers->add_to(first + row, values, rows->corrections.data() + slot * p.n);
              narrow(values, p.n, out, row * p.n);
            }
          }};
}

Stage scale_rows(const Scaling8 &scale, const Sums &sums, uint64_t m, uint64_t n, MutableFloats out) {
  return loop({m, total(scale_cost(), n)}, [=](uint64_t begin, uint64_t end, int) { scale(sums(), n, begin, end, out); });
}

// Integer sums are kept for this many elements at a time, so that a large product does not need four bytes for each.
constexpr uint64_t kBandElements = uint64_t{1} << 22;

// Band of rows by band of rows: sums, then the stage that finish(band, its first row, sums) returns.
template <class Finish>
void scaled_product(Task &task, const Product &p, const Finish &finish) {
  const uint64_t height = std::min(p.m, std::max<uint64_t>(kBandElements / std::max<uint64_t>(p.n, 1), 64));
  const auto kept = std::make_shared<memory::Later<int32_t>>();
  const Sums sums = [=] { return kept->data(); };
  task.push_back(once([=] { kept->take(height * p.n); }));
  for (uint64_t first = 0; first < p.m; first += height) {
    const Product band = {p.a + first * p.k, p.b, std::min(height, p.m - first), p.n, p.k};
    task.push_back(multiply(band, sums));
    task.push_back(finish(band, first, sums));
  }
}

void scaled_mm(Task &task, const Product &p, const Scaling8 &scale, MutableFloats out) {
  scaled_product(task, p, [&](const Product &band, uint64_t first, const Sums &sums) {
    return scale_rows(scale.from(first), sums, band.m, band.n, offset_by(out, first * p.n));
  });
}

void mixed_scaled_mm(Task &task, int threads, const Product &p, const Scaling8 &scale, Floats x, const uint8_t *mask, MutableFloats out) {
  const auto outliers = std::make_shared<OutlierProduct>(x, mask, p, scale.col_stats);
  task.push_back({[=] { return outliers->find(); }, [=](uint64_t begin, uint64_t end, int) { outliers->decode(begin, end); }});
  scaled_product(task, p, [&](const Product &band, uint64_t first, const Sums &sums) {
    return store_rows(threads, outliers, scale.from(first), sums, band, first, offset_by(out, first * p.n));
  });
}

}  // namespace

extern "C" {

uint64_t hb_pack_int8_bytes(uint64_t, uint64_t) { return 0; }

hb_status hb_pack_int8(hb_queue *, const int8_t *, uint64_t, uint64_t, void *) { return HB_UNSUPPORTED; }

hb_status hb_int8_vectorwise_quant(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t rows, uint64_t k, float threshold, int8_t *q,
                                   float *row_stats, uint8_t *outlier_columns, int64_t *fault) {
  return enqueue(queue, total(2 * row_cost(k), rows), [=] {
    Task task;
    measure_rows(task, queue->threads(), {x, dtype}, rows, k, threshold, row_stats, outlier_columns, fault);
    // A single row keeps the other elements of a column: there are none.
    const uint8_t *const mask = rows > 1 && threshold > 0 ? outlier_columns : nullptr;
    task.push_back(loop({rows, row_cost(k)}, [=](uint64_t begin, uint64_t end, int) {
      kernels().int8_row_quant({x, dtype}, k, threshold, row_stats, mask, begin, end, q);
    }));
    return task;
  });
}

hb_status hb_int8_vectorwise_dequant(hb_queue *queue, const int8_t *q, const float *row_stats, uint64_t rows, uint64_t k, float *out) {
  const double each = cost_of(cost::scale, &Kernels::int8_row_dequant);
  return enqueue(queue, total(each, rows, k), [=] {
    return Task{loop({rows, total(each, k)},
                     [=](uint64_t begin, uint64_t end, int) { kernels().int8_row_dequant(q, row_stats, k, begin, end, out); })};
  });
}

hb_status hb_int8_linear_matmul(hb_queue *queue, const int8_t *a, const int8_t *b, const void *, uint64_t m, uint64_t n, uint64_t k, int32_t *out) {
  return enqueue(queue, total(product_cost(), m, n, k), [=] { return Task{multiply({a, b, m, n, k}, [=] { return out; })}; });
}

hb_status hb_int8_mm_dequant(hb_queue *queue, const int32_t *a, const float *row_stats, const float *col_stats, const void *bias,
                             hb_dtype bias_dtype, uint64_t m, uint64_t n, hb_profile profile, void *out, hb_dtype dtype) {
  return enqueue(queue, total(scale_cost(), m, n), [=] {
    Task task;
    const Widened wide_bias(task, {bias, bias_dtype}, n);
    const Scaling8 scale = {row_stats, col_stats, wide_bias, bias_dtype == HB_FLOAT16, profile};
    task.push_back(loop({m, total(scale_cost(), n)}, [=](uint64_t begin, uint64_t end, int) { scale(a, n, begin, end, {out, dtype}); }));
    return task;
  });
}

hb_status hb_int8_mixed_scaled_mm(hb_queue *queue, const void *x, const int8_t *a, const int8_t *b, const void *, const float *row_stats,
                                  const float *col_stats, const uint8_t *outlier_columns, const void *bias, hb_dtype bias_dtype, uint64_t m,
                                  uint64_t n, uint64_t k, hb_profile profile, void *out, hb_dtype dtype) {
  const Product product = {a, b, m, n, k};
  // How many columns are outliers is not known yet: models have some in a hundred.
  const double outlier_columns_cost = x ? total(cost::outlier, m, n, k) / 16 : 0;
  return enqueue(queue, total(product_cost(), m, n, k) + total(scale_cost(), m, n) + outlier_columns_cost, [=] {
    Task task;
    const Widened wide_bias(task, {bias, bias_dtype}, n);
    const Scaling8 scale = {row_stats, col_stats, wide_bias, bias_dtype == HB_FLOAT16, profile};
    // x has the output's dtype.
    if (x && outlier_columns) mixed_scaled_mm(task, queue->threads(), product, scale, {x, dtype}, outlier_columns, {out, dtype});
    else scaled_mm(task, product, scale, {out, dtype});
    return task;
  });
}
}
