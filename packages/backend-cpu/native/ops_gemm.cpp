// Matrix products with dense and 4-bit weights.
#include "dispatch.h"
#include "enqueue.h"

using namespace hb;

namespace {

// Weight rows that kernels decode together.
constexpr uint64_t kTileRows = 64;

double widening_cost(hb_dtype dtype, uint64_t rows, uint64_t columns) { return dtype == HB_FLOAT32 ? 0 : total(cost::widen, rows, columns); }

}  // namespace

extern "C" {

uint64_t hb_pack_4bit_bytes(uint64_t, uint64_t, uint32_t) { return 0; }

hb_status hb_pack_4bit(hb_queue *, const uint8_t *, const float *, uint32_t, uint64_t, uint64_t, void *) { return HB_UNSUPPORTED; }

hb_status hb_gemm_4bit(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const float *absmax, const void *, const float *code,
                       uint32_t block_size, hb_accuracy, const void *bias, hb_dtype bias_dtype, uint64_t m, uint64_t n, uint64_t k, void *out) {
  const double row_cost = total(cost_of(cost::multiply_add, &Kernels::gemm_4bit), m, k) + total(cost_of(cost::decode_4bit, &Kernels::gemm_4bit), k);
  return enqueue(queue, total(row_cost, n) + widening_cost(dtype, m, k), [=] {
    Task task;
    const Widened wide_x(task, {x, dtype}, m * k);
    const Widened wide_bias(task, {bias, bias_dtype}, n);
    task.push_back(loop({n, row_cost, kTileRows}, [=](uint64_t begin, uint64_t end, int) {
      kernels().gemm_4bit(wide_x.data(), codes, absmax, code, block_size, wide_bias.data(), m, n, k, begin, end, {out, dtype});
    }));
    return task;
  });
}

hb_status hb_gemm(hb_queue *queue, const void *x, hb_dtype dtype, const void *weight, hb_dtype weight_dtype, const void *bias, hb_dtype bias_dtype,
                  uint64_t m, uint64_t n, uint64_t k, int32_t transpose, void *out) {
  const double row_cost = transpose ? total(cost_of(cost::transposed_multiply_add, &Kernels::gemm_transposed), n, k)
                                    : total(cost_of(cost::multiply_add, &Kernels::gemm), m, k) + total(cost::widen, k);
  return enqueue(queue, total(row_cost, transpose ? m : n) + widening_cost(dtype, m, transpose ? n : k), [=] {
    Task task;
    const Widened wide_x(task, {x, dtype}, m * (transpose ? n : k));
    const Widened wide_bias(task, {bias, bias_dtype}, transpose ? k : n);
    const auto product = transpose ? kernels().gemm_transposed : kernels().gemm;
    task.push_back(loop({transpose ? m : n, row_cost, transpose ? 1 : kTileRows}, [=](uint64_t begin, uint64_t end, int) {
      product(wide_x.data(), {weight, weight_dtype}, wide_bias.data(), m, n, k, begin, end, {out, dtype});
    }));
    return task;
  });
}
}
