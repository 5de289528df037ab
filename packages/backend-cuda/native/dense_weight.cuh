// Float weights of a product, in the order in which its kernels take them.
#pragma once
#include "operands.cuh"

namespace hb {

// For f32_rows.cuh: rows of a multiple of 8, from a multiple of 16 bytes on.
template <class Element>
struct RowFloats {
  static constexpr uint32_t kPiece = kPerThread;
  using Piece = Octet<Element>;

  const typename Element::Storage *weight;
  uint64_t inner;

  __device__ void load_table(float *) const {}
  __device__ Piece fetch(uint64_t column, uint64_t k) const {
    const uint4 *const from = reinterpret_cast<const uint4 *>(weight + column * inner + k);
    Piece piece;
    HB_UNROLL for (int i = 0; i < Piece::kWords; i++) piece.words[i] = from[i];
    return piece;
  }
  static __device__ float scale(const Piece &) { return 1; }
  static __device__ Quad quad(const Piece &piece, uint32_t quad, const float *) {
    Quad out;
    for (uint32_t i = 0; i < 4; i++) out.values[i] = Element::widen(piece.elements[4 * quad + i]);
    return out;
  }
};

}  // namespace hb
