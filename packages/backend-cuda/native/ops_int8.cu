// LLM.int8(): hb_int8_vectorwise_quant and -dequant, hb_int8_linear_matmul, hb_int8_mm_dequant, hb_int8_mixed_scaled_mm.
#include "grid.h"
#include "int8_mma.cuh"
#include "int8_outliers.cuh"
#include "int8_pad.cuh"
#include "int8_rows.cuh"
#include "scratch.h"

namespace hb {
namespace {

bool is_aligned(const void *pointer, uint64_t bytes) { return reinterpret_cast<uintptr_t>(pointer) % bytes == 0; }

// ── Rows ──

// Threads for a row: a power of two of them, eight elements each where that fills a warp.
uint32_t threads_of_row(uint64_t k) {
  uint32_t threads = 32;
  while (threads < kMostRowThreads && uint64_t{threads} * kPerThread < k) threads *= 2;
  return threads;
}

// Calls run(each) with what a thread takes of a row at once: std::integral_constant of 8 or 1.
template <class Run>
void with_pieces(uint64_t k, const Run &run) {
  if (k % kPerThread == 0) run(std::integral_constant<uint32_t, kPerThread>{});
  else run(std::integral_constant<uint32_t, 1>{});
}

template <class Element>
void launch_quantize(cudaStream_t stream, const QuantizeRowsTask<Element> &task) {
  with_pieces(task.k, [&](auto each) {
    launch(quantize_rows<Element, decltype(each)::value>, thread_blocks(task.rows), threads_of_row(task.k), stream, task);
  });
}

// With outliers in several rows all of them are known before the first code; a single row keeps the other elements of a column: there are none.
template <class Element>
void quantize_rows_of(cudaStream_t stream, QuantizeRowsTask<Element> task) {
  if (task.threshold > 0 && task.rows > 1) {
    task.encodes = false;
    launch_quantize(stream, task);
    task.measures = false;
    task.encodes = task.clears_columns = true;
  }
  launch_quantize(stream, task);
}

// ── Products ──

void launch_tiles(cudaStream_t stream, const Product8 &p, const ResultOf8 &result) {
  const uint64_t tiles = ceil_div(p.m, kTileRows) * ceil_div(p.n, kTileColumns);
  launch(int8_tiles, thread_blocks(tiles), kTileThreads, stream, p, tiles, result);
}

template <class Tile>
void launch_mma(cudaStream_t stream, const Product8 &p, const ResultOf8 &result) {
  const TileOrder order = {ceil_div(p.m, Tile::kRows), ceil_div(p.n, Tile::kColumns)};
  const uint64_t tiles = order.down * order.across;
  launch(int8_mma<Tile>, thread_blocks(tiles), Tile::kThreads, static_cast<uint32_t>(sizeof(MmaShared<Tile>)), stream, p, tiles, order, result);
}

// Large tiles where they are not mostly empty and keep half of the device busy.
bool is_large(const Product8 &p, const DeviceTraits &device) {
  const uint64_t tiles = ceil_div(p.m, LargeMmaTile::kRows) * ceil_div(p.n, LargeMmaTile::kColumns);
  return p.m > SmallMmaTile::kRows && 2 * tiles >= static_cast<uint64_t>(device.multiprocessors);
}

void launch_product(cudaStream_t stream, const DeviceTraits &device, const Product8 &p, const ResultOf8 &result) {
  if (p.m <= kFewRows) {
    const uint64_t blocks = ceil_div(p.n, kFewRowsThreads / 32 * kColumnsOfWarp);
    launch(int8_few_rows, thread_blocks(blocks), kFewRowsThreads, stream, p, result);
  } else if (device.capability < kInt8MmaCapability) {
    launch_tiles(stream, p, result);
  } else if (is_large(p, device)) {
    launch_mma<LargeMmaTile>(stream, p, result);
  } else if (device.capability >= kAsyncCopyCapability) {
    launch_mma<SmallMmaTile>(stream, p, result);
  } else {
    launch_mma<OldSmallMmaTile>(stream, p, result);
  }
}

void pad(cudaStream_t stream, const int8_t *from, uint64_t rows, uint64_t k, uint64_t padded, const Scratch &to) {
  launch(pad_rows, thread_blocks(rows), 256, stream, from, rows, k, padded, to.as<uint32_t>());
}

// Rows that are no multiple of 16 bytes, which models do not have, are copied first.
void multiply(hb_queue *queue, cudaStream_t stream, const Product8 &p, const ResultOf8 &result) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k % kBytesTogether == 0 && is_aligned(p.a, kBytesTogether) && is_aligned(p.b, kBytesTogether))
    return launch_product(stream, queue->traits(), p, result);
  const uint64_t padded = ceil_div(p.k, kBytesTogether) * kBytesTogether;
  const Scratch a(*queue, p.m * padded), b(*queue, p.n * padded);
  pad(stream, p.a, p.m, p.k, padded, a);
  pad(stream, p.b, p.n, p.k, padded, b);
  const Product8 whole = {a.as<int8_t>(), b.as<int8_t>(), p.m, p.n, padded};
  launch_product(stream, queue->traits(), whole, result);
}

// Outlier columns that are gathered, when the result has several rows of tiles: models have fewer.
constexpr uint64_t kMostGathered = 128;

void add_outliers_of(hb_queue *queue, cudaStream_t stream, const void *x, const uint8_t *mask, const Product8 &p, const ResultOf8 &result) {
  const Scratch scratch(*queue, (p.k + 1) * sizeof(uint32_t));
  const OutlierList list = {scratch.as<uint32_t>(), scratch.as<uint32_t>() + 1};
  launch(list_outliers, 1, kListThreads, stream, mask, p.k, list);
  const uint64_t capacity = p.m > kCorrectedRows ? std::min(p.k, kMostGathered) : 0;
  const Scratch room(*queue, (p.m + p.n) * capacity * sizeof(float));
  float *const listed = room.as<float>();
  const OutlierOperands from = {list, {x, result.out.dtype}, p.b, result.col_stats, p.m, p.n, p.k};
  const GatheredOutliers gathered = {listed, listed + p.m * capacity, static_cast<uint32_t>(capacity)};
  const uint64_t lines = p.m + p.n, tiles = ceil_div(p.m, kCorrectedRows) * ceil_div(p.n, kCorrectedColumns);
  if (capacity > 0) launch(gather_outliers, thread_blocks(ceil_div(lines, kGatherThreads / kGatheredAtOnce)), kGatherThreads, stream, from, gathered);
  launch(add_outliers, thread_blocks(tiles), kCorrectedThreads, stream, from, gathered, result.out, tiles);
}

}  // namespace
}  // namespace hb

extern "C" {

// Products read the weight as it is.
uint64_t hb_pack_int8_bytes(uint64_t, uint64_t) { return 0; }
hb_status hb_pack_int8(hb_queue *, const int8_t *, uint64_t, uint64_t, void *) { return HB_UNSUPPORTED; }

hb_status hb_int8_vectorwise_quant(hb_queue *queue, const void *x, hb_dtype dtype, uint64_t rows, uint64_t k, float threshold, int8_t *q,
                                   float *row_stats, uint8_t *outlier_columns, int64_t *fault) {
  return hb::guarded([=] {
    queue->push([=](cudaStream_t stream) {
      if (fault) hb::expect(cudaMemsetAsync(fault, 0xff, sizeof *fault, stream), "cudaMemsetAsync");
      if (k > 0) hb::expect(cudaMemsetAsync(outlier_columns, 0, k, stream), "cudaMemsetAsync");
      if (rows == 0) return;
      hb::with_element(dtype, [&](auto element) {
        using Element = decltype(element);
        hb::QuantizeRowsTask<Element> task = {};
        task.x = static_cast<const typename Element::Storage *>(x);
        task.rows = rows, task.k = k, task.threshold = threshold;
        task.measures = task.encodes = true;
        task.q = reinterpret_cast<uint8_t *>(q), task.row_stats = row_stats, task.outlier_columns = outlier_columns;
        task.fault = reinterpret_cast<unsigned long long *>(fault);
        hb::quantize_rows_of(stream, task);
      });
    });
  });
}

hb_status hb_int8_vectorwise_dequant(hb_queue *queue, const int8_t *q, const float *row_stats, uint64_t rows, uint64_t k, float *out) {
  return hb::guarded([=] {
    queue->push([=](cudaStream_t stream) {
      if (rows == 0) return;
      const auto *codes = reinterpret_cast<const uint8_t *>(q);
      hb::with_pieces(k, [&](auto each) {
        hb::launch(hb::dequantize_rows<decltype(each)::value>, hb::thread_blocks(rows), hb::threads_of_row(k), stream, codes, row_stats, rows, k, out);
      });
    });
  });
}

hb_status hb_int8_linear_matmul(hb_queue *queue, const int8_t *a, const int8_t *b, const void *, uint64_t m, uint64_t n, uint64_t k,
                                int32_t *out) {
  return hb::guarded([=] {
    hb::ResultOf8 result = {};
    result.sums = out;
    queue->push([=](cudaStream_t stream) { hb::multiply(queue, stream, {a, b, m, n, k}, result); });
  });
}

hb_status hb_int8_mm_dequant(hb_queue *queue, const int32_t *a, const float *row_stats, const float *col_stats, const void *bias,
                             hb_dtype bias_dtype, uint64_t m, uint64_t n, hb_profile profile, void *out, hb_dtype dtype) {
  return hb::guarded([=] {
    const hb::ResultOf8 result = {nullptr, row_stats, col_stats, {bias, bias_dtype}, profile, {out, dtype}};
    queue->push([=](cudaStream_t stream) {
      if (m > 0) hb::launch(hb::scale_sums, hb::thread_blocks(m), 256, stream, a, m, n, result);
    });
  });
}

hb_status hb_int8_mixed_scaled_mm(hb_queue *queue, const void *x, const int8_t *a, const int8_t *b, const void *, const float *row_stats,
                                  const float *col_stats, const uint8_t *outlier_columns, const void *bias, hb_dtype bias_dtype, uint64_t m,
                                  uint64_t n, uint64_t k, hb_profile profile, void *out, hb_dtype dtype) {
  return hb::guarded([=] {
    const hb::Product8 product = {a, b, m, n, k};
    const hb::ResultOf8 result = {nullptr, row_stats, col_stats, {bias, bias_dtype}, profile, {out, dtype}};
    queue->push([=](cudaStream_t stream) {
      hb::multiply(queue, stream, product, result);
      if (x && outlier_columns && m > 0 && n > 0) hb::add_outliers_of(queue, stream, x, outlier_columns, product, result);
    });
  });
}
}
