// Products with 4-bit weights on tensor cores: which kernel, with how many threads, and who helps.
#include "gemm_4bit.h"
#include "gemm_4bit_narrow.cuh"
#include "gemm_4bit_tiled.cuh"
#include "grid.h"
#include "scratch.h"

namespace hb {

namespace {

// Rows of x up to which the weight is streamed.
constexpr uint64_t kMostNarrowRows = 16;
// Enough for every GPU; what is left of k for each warp must be worth the meeting.
constexpr uint64_t kMostSplits = 16, kFewestChunks = 2;
// What one dimension of a grid other than the first may be.
constexpr uint64_t kMostBlocks = 65535;

// How many thread blocks share k, so that all multiprocessors have work.
uint32_t splits_of(const DeviceTraits &device, uint64_t tiles, uint64_t blocks_per_processor, uint64_t most) {
  if (tiles > kArrivals) return 1;
  const uint64_t wanted = device.multiprocessors * blocks_per_processor / tiles;
  return static_cast<uint32_t>(std::max<uint64_t>(1, std::min({wanted, most, kMostSplits})));
}

// Kernels beside which the table of pairs and a few words more lie in shared memory.
bool has_room(const DeviceTraits &device, uint32_t bytes) { return PairTable::kBytes + 64 + bytes <= device.shared_bytes_per_block; }

uint32_t narrow_warps(const DeviceTraits &device) {
  return has_room(device, NarrowLayout::bytes(kNarrowWarps)) ? kNarrowWarps : kNarrowWarps / 2;
}

// As deep as there is room for; the smallest, for 64 KiB, is that of compute capability 7.5, which copies at once anyway.
TiledLayout tiled_layout(const DeviceTraits &device) {
  for (const uint32_t stages : {4u, 3u})
    if (has_room(device, TiledLayout(kTiledWarps, stages).bytes())) return TiledLayout(kTiledWarps, stages);
  return TiledLayout(3, 2);
}

SplitSum split_sum(hb_queue &queue, const Scratch &partial, uint32_t splits) {
  return {partial.as<float>(), splits > 1 ? queue.arrivals() : nullptr, splits};
}

template <class Element, uint32_t eights>
void launch_narrow(hb_queue &queue, cudaStream_t stream, const Product4 &product) {
  const uint32_t warps = narrow_warps(queue.traits());
  const uint64_t tiles = ceil_div(product.n, kNarrowRows), chunks = product.k / kChunk;
  const uint32_t splits = splits_of(queue.traits(), tiles, kNarrowBlocks<eights>, chunks / (warps * kFewestChunks));
  const Scratch partial(queue, splits > 1 ? tiles * splits * 8 * eights * kNarrowRows * sizeof(float) : 0);
  launch(gemm_4bit_narrow<Element, eights>, dim3(static_cast<uint32_t>(tiles), splits), 32 * warps, NarrowLayout::bytes(warps), stream, product,
         log2_of(product.weight.block_size), split_sum(queue, partial, splits));
}

void launch_prepare(cudaStream_t stream, const Product4 &product, uint16_t *values, float *factors) {
  const uint64_t chunks = product.m * (product.k / kChunk);
  launch(prepare_activations, thread_blocks(ceil_div(chunks, 8)), 256, stream, static_cast<const uint16_t *>(product.x), chunks, values, factors);
}

void launch_tiled(hb_queue &queue, cudaStream_t stream, const Product4 &product) {
  const TiledLayout layout = tiled_layout(queue.traits());
  const uint64_t rows = ceil_div(product.m, kTiledHeight), columns = ceil_div(product.n, layout.rows), chunks = product.k / kChunk;
  const uint32_t splits = splits_of(queue.traits(), rows * columns, 1, chunks / (2 * kFewestChunks));
  const Scratch partial(queue, splits > 1 ? rows * columns * splits * layout.rows * kTiledHeight * sizeof(float) : 0);
  const bool is_prepared = product.dtype == HB_BFLOAT16;
  const Scratch values(queue, is_prepared ? product.m * product.k * sizeof(uint16_t) : 0);
  const Scratch factors(queue, is_prepared ? product.m * chunks * sizeof(float) : 0);
  if (is_prepared) launch_prepare(stream, product, values.as<uint16_t>(), factors.as<float>());
  const Activations16 x = {is_prepared ? values.as<uint16_t>() : static_cast<const uint16_t *>(product.x), factors.as<float>()};
  const dim3 grid(static_cast<uint32_t>(rows), static_cast<uint32_t>(columns), splits);
  launch(gemm_4bit_tiled, grid, layout.rows, layout.bytes(), stream, product, x, log2_of(product.weight.block_size), split_sum(queue, partial, splits),
         layout.stages);
}

bool fits(const DeviceTraits &device, const Product4 &product) {
  const bool is_16_bit = product.dtype == HB_FLOAT16 || product.dtype == HB_BFLOAT16;
  const uint32_t block_size = product.weight.block_size;
  const bool has_whole_chunks = product.k > 0 && product.k % kChunk == 0 && block_size >= kChunk && (block_size & (block_size - 1)) == 0;
  return device.capability >= Float16Mma::kCapability && is_16_bit && product.accuracy != HB_EXACT && has_whole_chunks &&
         has_room(device, tiled_layout(device).bytes()) && ceil_div(product.n, kTiledWarpRows) <= kMostBlocks;
}

}  // namespace

bool gemm_4bit_mma(hb_queue &queue, cudaStream_t stream, const Product4 &product) {
  if (!fits(queue.traits(), product)) return false;
  const bool is_short = product.m <= 8, is_float16 = product.dtype == HB_FLOAT16;
  if (product.m > kMostNarrowRows) launch_tiled(queue, stream, product);
  else if (is_float16) is_short ? launch_narrow<Float16, 1>(queue, stream, product) : launch_narrow<Float16, 2>(queue, stream, product);
  else is_short ? launch_narrow<Bfloat16, 1>(queue, stream, product) : launch_narrow<Bfloat16, 2>(queue, stream, product);
  return true;
}

}  // namespace hb
