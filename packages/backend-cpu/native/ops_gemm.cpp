// Matrix products with dense and 4-bit weights.
#include "activations.h"
#include "dispatch.h"
#include "enqueue.h"
#include "packed_4bit.h"

using namespace hb;

namespace {

// Weight rows that kernels decode together.
constexpr uint64_t kTileRows = 64;

double widening_cost(hb_dtype dtype, uint64_t rows, uint64_t columns) { return dtype == HB_FLOAT32 ? 0 : total(cost::widen, rows, columns); }

// ── Packed 4-bit weights ──

bool has_packed_products() { return kernels().gemm_4bit_packed != nullptr; }

struct Gemm4 {
  Floats x;
  const uint8_t *codes;
  const float *absmax;
  const void *packed;
  const float *code;
  uint32_t block_size;
  Floats bias;
  uint64_t m, n, k;
  MutableFloats out;
};

// The left operand in the form of the kernels. What integers cannot hold is prepared once more, exactly.
class Prepared {
 public:
  Prepared(const Gemm4 &product, hb_accuracy accuracy) : product_(product), accuracy_(accuracy) {}

  Rows first_attempt() {
    values_.take(layout().bytes());
    return rows();
  }
  Rows second_attempt() {
    if (suits_.load(std::memory_order_relaxed)) return Rows{0};
    accuracy_ = HB_EXACT;
    return first_attempt();
  }
  void run(uint64_t begin, uint64_t end) {
    if (!kernels().prepare_activations(accuracy_, product_.x, product_.code, product_.block_size, product_.m, product_.k, begin, end, values_.data()))
      suits_.store(false, std::memory_order_relaxed);
  }
  void multiply(uint64_t begin, uint64_t end) const {
    const Gemm4 &p = product_;
    kernels().gemm_4bit_packed(accuracy_, values_.data(), p.packed, p.code, p.block_size, p.bias, p.m, p.n, p.k, begin, end, p.out);
  }

 private:
  ActivationLayout layout() const { return {accuracy_, product_.m, product_.k, PackedLayout{product_.n, product_.k, product_.block_size}.piece()}; }
  Rows rows() const { return {product_.m, total(cost::prepare_activation, product_.k)}; }

  const Gemm4 product_;
  hb_accuracy accuracy_;
  std::atomic<bool> suits_{true};
  memory::Later<char> values_;
};

hb_status multiply_packed(hb_queue *queue, const Gemm4 &product, hb_accuracy accuracy) {
  const double panel_cost = total(total(cost::packed_multiply_add, product.m) + cost::packed_weight, product.k, panel_rows);
  const uint64_t panels = PackedLayout{product.n, product.k, product.block_size}.panels();
  return enqueue(queue, total(panel_cost, panels) + total(cost::prepare_activation, product.m, product.k), [&] {
    const auto x = std::make_shared<Prepared>(product, accuracy);
    const auto run = [=](uint64_t begin, uint64_t end, int) { x->run(begin, end); };
    Task task;
    task.push_back({[=] { return x->first_attempt(); }, run});
    task.push_back({[=] { return x->second_attempt(); }, run});
    task.push_back(loop({panels, panel_cost}, [=](uint64_t begin, uint64_t end, int) { x->multiply(begin, end); }));
    return task;
  });
}

hb_status multiply_stored(hb_queue *queue, const Gemm4 &p) {
  const double row_cost = total(cost_of(cost::multiply_add, &Kernels::gemm_4bit), p.m, p.k) + total(cost_of(cost::decode_4bit, &Kernels::gemm_4bit), p.k);
  return enqueue(queue, total(row_cost, p.n) + widening_cost(p.out.dtype, p.m, p.k), [=] {
    Task task;
    const Widened x(task, p.x, p.m * p.k);
    const Widened bias(task, p.bias, p.n);
    task.push_back(loop({p.n, row_cost, kTileRows}, [=](uint64_t begin, uint64_t end, int) {
      kernels().gemm_4bit(x.data(), p.codes, p.absmax, p.code, p.block_size, bias.data(), p.m, p.n, p.k, begin, end, p.out);
    }));
    return task;
  });
}

}  // namespace

extern "C" {

uint64_t hb_pack_4bit_bytes(uint64_t n, uint64_t k, uint32_t block_size) {
  const PackedLayout layout{n, k, block_size};
  return has_packed_products() && layout.possible() ? layout.bytes() : 0;
}

hb_status hb_pack_4bit(hb_queue *queue, const uint8_t *codes, const float *absmax, uint32_t block_size, uint64_t n, uint64_t k, void *packed) {
  if (hb_pack_4bit_bytes(n, k, block_size) == 0) return HB_UNSUPPORTED;
  const PackedLayout layout{n, k, block_size};
  const double panel_cost = total(cost::pack_4bit, panel_rows, k);
  return enqueue(queue, total(panel_cost, layout.panels()), [=] {
    return Task{loop({layout.panels(), panel_cost}, [=](uint64_t begin, uint64_t end, int) {
      pack_4bit(codes, absmax, n, k, block_size, begin, end, packed);
    })};
  });
}

hb_status hb_gemm_4bit(hb_queue *queue, const void *x, hb_dtype dtype, const uint8_t *codes, const float *absmax, const void *packed,
                       const float *code, uint32_t block_size, hb_accuracy accuracy, const void *bias, hb_dtype bias_dtype, uint64_t m, uint64_t n,
                       uint64_t k, void *out) {
  const Gemm4 product{{x, dtype}, codes, absmax, packed, code, block_size, {bias, bias_dtype}, m, n, k, {out, dtype}};
  return packed ? multiply_packed(queue, product, accuracy) : multiply_stored(queue, product);
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
