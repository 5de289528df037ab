// LLM.int8(): row-wise quantization, the integer product, and its scaled results.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "enqueue.h"
#include "float_array.h"
#include "packed_int8.h"

using namespace hb;

namespace {

double row_cost(uint64_t k) { return total(cost_of(cost::int8_row, &Kernels::int8_row_quant), k); }
double product_cost(const void *packed) {
  return packed ? cost_of(cost::int8_multiply_add, &Kernels::int8_matmul_packed) : cost_of(cost::int8_multiply_add, &Kernels::int8_matmul);
}
// A packed form is worth its memory only where a kernel reads it faster than the weight itself.
bool is_packed_faster() { return kernels().int8_matmul_packed != scalar_kernels.int8_matmul_packed; }
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
  const uint8_t *packed;  // of b, or null
  uint64_t m, n, k;
};

// A part of the result. One row of a, as in decoding, is work for all threads too, and so are many rows by few columns.
struct Tile {
  uint64_t row, rows, column, columns;
};

constexpr uint64_t kTileRows = 96, kTileColumns = PackedInt8::panel_rows;
// Neighbours in a band of rows are done together, as far as their sums stay in L2.
constexpr uint64_t kMostTiles = 4;
constexpr uint64_t kTileSums = kTileRows * kTileColumns * kMostTiles;

void multiply(const Product &p, const Tile &tile, int32_t *out, uint64_t stride) {
  const int8_t *const a = p.a + tile.row * p.k;
  if (p.packed) kernels().int8_matmul_packed(a, p.packed, tile.rows, p.n, p.k, tile.column, tile.column + tile.columns, out, stride);
  else kernels().int8_matmul(a, p.b + tile.column * p.k, tile.rows, tile.columns, p.k, out, stride);
}

// Tiles in the order of their bands; run(tile, slot).
template <class Run>
Stage for_each_tile(const Product &p, double element_cost, std::function<void()> begin, Run run) {
  const uint64_t across = ceil_div(p.n, kTileColumns), height = std::min(p.m, kTileRows);
  const double cost = total(total(product_cost(p.packed), p.k) + element_cost, height, kTileColumns);
  return {[=] {
            begin();
            return Rows{p.m == 0 ? 0 : ceil_div(p.m, height) * across, cost};
          },
          [=](uint64_t first, uint64_t end, int slot) {
            for (uint64_t at = first, count; at < end; at += count) {
              const uint64_t row = at / across * height, column = at % across;
              count = std::min({end - at, across - column, kMostTiles});
              const uint64_t left = column * kTileColumns, right = std::min(p.n, left + count * kTileColumns);
              run(Tile{row, std::min(height, p.m - row), left, right - left}, slot);
            }
          }};
}

// ── Scaled results ──

struct Scaling8 {
  const float *row_stats, *col_stats;
  Widened bias;
  bool bias_is_float16;
  hb_profile profile;

  // Columns [column, column + count) of one row.
  void operator()(const int32_t *sums, uint64_t row, uint64_t column, uint64_t count, MutableFloats out) const {
    const float *const addends = bias.data() ? bias.data() + column : nullptr;
    kernels().int8_mm_dequant(sums, row_stats + row, col_stats + column, addends, bias_is_float16, count, profile, 0, 1, out);
  }
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

  // values = rounded(values) + the sums of `count` columns from `column` on, not more than a tile has.
  void add_to(uint64_t row, uint64_t column, uint64_t count, float *values) const {
    double sums[kTileColumns * kMostTiles] = {};
    for (uint64_t i = 0; i < columns_.size(); i++) {
      float factor;
      widen(x_, row * k_ + columns_[i], 1, &factor);
      const float *const weight = weight_.data() + i * n_ + column;
      for (uint64_t c = 0; c < count; c++) sums[c] += static_cast<double>(factor) * static_cast<double>(weight[c]);
    }
    for (uint64_t c = 0; c < count; c++) values[c] = static_cast<float>(static_cast<double>(rounded(values[c], x_.dtype)) + sums[c]);
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

// Integer sums of a tile, scaled while they are in cache; corrected, and then rounded once, when there are outliers.
Stage scaled_product(int threads, const Product &p, const Scaling8 &scale, const std::shared_ptr<OutlierProduct> &outliers, MutableFloats out) {
  const auto sums = std::make_shared<memory::Later<int32_t>>();
  const auto begin = [=] { sums->take(static_cast<uint64_t>(threads) * kTileSums); };
  return for_each_tile(p, scale_cost(), begin, [=](const Tile &tile, int slot) {
    int32_t *const of_tile = sums->data() + static_cast<uint64_t>(slot) * kTileSums;
    multiply(p, tile, of_tile, tile.columns);
    for (uint64_t i = 0; i < tile.rows; i++) {
      const uint64_t row = tile.row + i;
      const int32_t *const of_row = of_tile + i * tile.columns;
      const MutableFloats to = offset_by(out, row * p.n + tile.column);
      if (!outliers || outliers->is_empty()) {
        scale(of_row, row, tile.column, tile.columns, to);
        continue;
      }
      float values[kTileColumns * kMostTiles];
      scale(of_row, row, tile.column, tile.columns, {values, HB_FLOAT32});
      outliers->add_to(row, tile.column, tile.columns, values);
      narrow(values, tile.columns, to, 0);
    }
  });
}

}  // namespace

extern "C" {

uint64_t hb_pack_int8_bytes(uint64_t n, uint64_t k) { return is_packed_faster() ? PackedInt8{n, k}.bytes() : 0; }

hb_status hb_pack_int8(hb_queue *queue, const int8_t *weight, uint64_t n, uint64_t k, void *packed) {
  if (!is_packed_faster()) return HB_UNSUPPORTED;
  const PackedInt8 shape = {n, k};
  const double panel_cost = total(cost::pack_int8, PackedInt8::panel_rows, k);
  return enqueue(queue, total(panel_cost, shape.panels()), [=] {
    return Task{loop({shape.panels(), panel_cost},
                     [=](uint64_t begin, uint64_t end, int) { pack_int8(weight, shape, begin, end, static_cast<uint8_t *>(packed)); })};
  });
}

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

hb_status hb_int8_linear_matmul(hb_queue *queue, const int8_t *a, const int8_t *b, const void *packed_b, uint64_t m, uint64_t n, uint64_t k,
                                int32_t *out) {
  const Product p = {a, b, static_cast<const uint8_t *>(packed_b), m, n, k};
  return enqueue(queue, total(product_cost(packed_b), m, n, k), [=] {
    return Task{for_each_tile(p, 0, [] {}, [=](const Tile &tile, int) { multiply(p, tile, out + tile.row * n + tile.column, n); })};
  });
}

hb_status hb_int8_mm_dequant(hb_queue *queue, const int32_t *a, const float *row_stats, const float *col_stats, const void *bias,
                             hb_dtype bias_dtype, uint64_t m, uint64_t n, hb_profile profile, void *out, hb_dtype dtype) {
  return enqueue(queue, total(scale_cost(), m, n), [=] {
    Task task;
    const Widened wide_bias(task, {bias, bias_dtype}, n);
    const Scaling8 scale = {row_stats, col_stats, wide_bias, bias_dtype == HB_FLOAT16, profile};
    task.push_back(loop({m, total(scale_cost(), n)}, [=](uint64_t begin, uint64_t end, int) {
      for (uint64_t row = begin; row < end; row++) scale(a + row * n, row, 0, n, offset_by({out, dtype}, row * n));
    }));
    return task;
  });
}

hb_status hb_int8_mixed_scaled_mm(hb_queue *queue, const void *x, const int8_t *a, const int8_t *b, const void *packed_b,
                                  const float *row_stats, const float *col_stats, const uint8_t *outlier_columns, const void *bias, hb_dtype bias_dtype, uint64_t m,
                                  uint64_t n, uint64_t k, hb_profile profile, void *out, hb_dtype dtype) {
  const Product product = {a, b, static_cast<const uint8_t *>(packed_b), m, n, k};
  // How many columns are outliers is not known yet: models have some in a hundred.
  const double outlier_columns_cost = x ? total(cost::outlier, m, n, k) / 16 : 0;
  return enqueue(queue, total(product_cost(packed_b), m, n, k) + total(scale_cost(), m, n) + outlier_columns_cost, [=] {
    Task task;
    const Widened wide_bias(task, {bias, bias_dtype}, n);
    const Scaling8 scale = {row_stats, col_stats, wide_bias, bias_dtype == HB_FLOAT16, profile};
    std::shared_ptr<OutlierProduct> outliers;
    if (x && outlier_columns) {
      // x has the output's dtype.
      outliers = std::make_shared<OutlierProduct>(Floats{x, dtype}, outlier_columns, product, col_stats);
      task.push_back({[=] { return outliers->find(); }, [=](uint64_t begin, uint64_t end, int) { outliers->decode(begin, end); }});
    }
    task.push_back(scaled_product(queue->threads(), product, scale, outliers, {out, dtype}));
    return task;
  });
}
}
