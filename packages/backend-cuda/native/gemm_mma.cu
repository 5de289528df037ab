// Products of 16-bit matrices on tensor cores: where they apply, and tiles of which size.
#include "gemm.h"
#include "grid.h"
#include "product_mma.cuh"

namespace hb {

namespace {

bool has_whole_pieces(const Matrix &matrix) {
  return matrix.inner % kMmaPiece == 0 && is_aligned(matrix.elements.data, sizeof(uint4));
}

template <uint32_t kM, uint32_t kN>
TileGrid grid_of(const MmaTask &task) {
  using Shape = MmaShape<kM, kN>;
  return TileGrid(task.result.rows, Shape::kRows, task.result.columns, Shape::kColumns);
}

template <class Mma, class Element, template <uint32_t> class Weight, uint32_t kM, uint32_t kN>
void launch_tiles(cudaStream_t stream, const MmaTask &task) {
  const TileGrid grid = grid_of<kM, kN>(task);
  const uint32_t shared_bytes = MmaTile<Mma, Element, Weight, kM, kN>::kSharedBytes;
  launch(product_mma<Mma, Element, Weight, kM, kN>, thread_blocks(grid.tiles()), kMmaThreads, shared_bytes, stream, task, grid);
}

// The smaller tiles where the larger ones would be mostly empty, or too few for the device.
template <class Mma, class Element, template <uint32_t> class Weight>
void launch_mma(cudaStream_t stream, const DeviceTraits &device, const MmaTask &task) {
  if (task.result.rows > 64 && grid_of<4, 4>(task).tiles() >= static_cast<uint64_t>(device.multiprocessors))
    launch_tiles<Mma, Element, Weight, 4, 4>(stream, task);
  else launch_tiles<Mma, Element, Weight, 2, 2>(stream, task);
}

template <class Mma, class Element>
bool multiply(cudaStream_t stream, const DeviceTraits &device, const Product &p) {
  if (device.capability < Mma::kCapability) return false;
  const MmaTask task = {p.x, p.weight, p.result};
  if (p.transpose) launch_mma<Mma, Element, MmaColumns>(stream, device, task);
  else launch_mma<Mma, Element, MmaLines>(stream, device, task);
  return true;
}

}  // namespace

bool gemm_mma(cudaStream_t stream, const DeviceTraits &device, const Product &p) {
  const hb_dtype dtype = p.x.elements.dtype;
  if (dtype == HB_FLOAT32 || p.weight.elements.dtype != dtype || !has_whole_pieces(p.x) || !has_whole_pieces(p.weight)) return false;
  if (!is_aligned(p.result.out.data, sizeof(uint32_t))) return false;
  return dtype == HB_FLOAT16 ? multiply<Float16Mma, Float16>(stream, device, p) : multiply<Bfloat16Mma, Bfloat16>(stream, device, p);
}

}  // namespace hb
