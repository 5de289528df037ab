// hb_gemm: products with float weights, along their rows or down their columns.
#include "dense_weight.cuh"
#include "gemm.h"
#include "launch_product.cuh"
#include "queue.h"

namespace hb {
namespace {

// Above that the weight is better read once, by tiles.
constexpr uint64_t kMostRows = 4;

bool has_whole_pieces(const Product &p) {
  return p.x.inner % kPerThread == 0 && is_aligned(p.weight.elements.data, sizeof(uint4)) && is_aligned(p.x.elements.data, sizeof(uint4));
}

void multiply_rows(cudaStream_t stream, const DeviceTraits &device, const Product &p) {
  with_element(p.weight.elements.dtype, [&](auto element) {
    using Element = decltype(element);
    const RowFloats<Element> weight = {static_cast<const typename Element::Storage *>(p.weight.elements.data), p.x.inner};
    if (p.x.rows == 1) launch_rows<1>(stream, device, p.x, weight, p.result);
    else launch_rows<4>(stream, device, p.x, weight, p.result);
  });
}

void enqueue_gemm(hb_queue *queue, const Product &p) {
  queue->push([&](cudaStream_t stream) {
    if (p.result.rows == 0 || p.result.columns == 0) return;
    const DeviceTraits &device = queue->traits();
    if (!p.transpose && p.x.rows <= kMostRows && has_whole_pieces(p)) multiply_rows(stream, device, p);
    else if (gemm_mma(stream, device, p)) return;
    else if (p.transpose) launch_tile<TileColumns>(stream, device, {p.x, {p.weight}, p.result});
    else launch_tile<TileRows>(stream, device, {p.x, {p.weight}, p.result});
  });
}

}  // namespace
}  // namespace hb

extern "C" hb_status hb_gemm(hb_queue *queue, const void *x, hb_dtype dtype, const void *weight, hb_dtype weight_dtype, const void *bias,
                             hb_dtype bias_dtype, uint64_t m, uint64_t n, uint64_t k, int32_t transpose, void *out) {
  return hb::guarded([=] {
    const hb::Result result = {{out, dtype}, {bias, bias_dtype}, m, transpose ? k : n};
    hb::enqueue_gemm(queue, {{x, dtype, m, transpose ? n : k}, {weight, weight_dtype, n, k}, result, transpose != 0});
  });
}
