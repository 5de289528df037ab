// Products with 4-bit weights without tensor cores: which kernel.
#include "decode_4bit.cuh"
#include "gemm_4bit_any.cuh"
#include "launch_product.cuh"

namespace hb {

namespace {

// Below that the weight is read and decoded eight rows at a time, above that by tiles.
constexpr uint64_t kMostRows = 16, kMostRowsOfAnyShape = 4;

bool is_power_of_two(uint32_t size) { return (size & (size - 1)) == 0; }

bool has_whole_pieces(const Product4 &p) {
  const uint32_t block_size = p.weight.block_size;
  return p.k % RowCodes::kPiece == 0 && block_size >= RowCodes::kPiece && is_power_of_two(block_size) && is_aligned(p.weight.codes, sizeof(uint4)) &&
         is_aligned(p.x, sizeof(uint4));
}

}  // namespace

void gemm_4bit_simt(cudaStream_t stream, const DeviceTraits &device, const Product4 &p) {
  const Matrix x(p.x, p.dtype, p.m, p.k);
  const Result result = {{p.out, p.dtype}, {p.bias, p.bias_dtype}, p.m, p.n};
  const BlockOf block_of(p.weight.block_size);
  if (p.m <= kMostRows && has_whole_pieces(p)) {
    const RowCodes codes = {p.weight, log2_of(p.weight.block_size), p.k};
    if (p.m == 1) launch_rows<1>(stream, device, x, codes, result);
    else if (p.m == 2) launch_rows<2>(stream, device, x, codes, result);
    else if (p.m <= 4) launch_rows<4>(stream, device, x, codes, result);
    else launch_rows<8>(stream, device, x, codes, result);
  } else if (p.m <= kMostRowsOfAnyShape) {
    const AnyTask task = {x, p.weight, block_of, result};
    launch(gemm_4bit_any, thread_blocks(ceil_div(p.m * p.n, kAnyThreads / 32)), kAnyThreads, stream, task,
           Divisor(p.n));
  } else {
    launch_tile<TileDecoded<TileCodes>>(stream, device, {x, {TileCodes(p.weight, p.n, p.k)}, result});
  }
}

}  // namespace hb
