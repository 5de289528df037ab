// Numbers of a 4-bit code, and the weights of a product that are made of them.
#pragma once
#include "gemm_4bit.h"
#include "operands.cuh"

namespace hb {

// Entry of code i of a word, 0 to 7; the first code of a byte is in its high nibble. Sixteen numbers lie in sixteen banks: however the codes of a
// warp differ, they are read at once.
__device__ inline float entry(const float *table, uint32_t word, uint32_t i) {
  const uint32_t bit = 4 * (i ^ 1);
  // Times the size of a number, which saves the shift that an index would need.
  const uint32_t offset = (bit < 2 ? word << (2 - bit) : word >> (bit - 2)) & 60;
  return *reinterpret_cast<const float *>(reinterpret_cast<const char *>(table) + offset);
}

__device__ inline void load_table4(const float *from, float *table) {
  if (threadIdx.x < 16) table[threadIdx.x] = from[threadIdx.x];
}

// For f32_rows.cuh: rows of a multiple of 32 weights, in blocks of 2^shift, 32 at least.
struct RowCodes {
  static constexpr uint32_t kPiece = 32;
  struct Piece {
    uint4 codes;
    float scale;
  };

  Weight4 weight;
  uint32_t shift;
  uint64_t inner;

  __device__ void load_table(float *table) const { load_table4(weight.table, table); }
  __device__ Piece fetch(uint64_t column, uint64_t k) const {
    const uint64_t i = column * inner + k;
    return {reinterpret_cast<const uint4 *>(weight.codes)[i / kPiece], weight.scales.at(i >> shift)};
  }
  static __device__ float scale(const Piece &piece) { return piece.scale; }
  static __device__ Quad quad(const Piece &piece, uint32_t quad, const float *table) {
    const uint4 &codes = piece.codes;
    const uint32_t word = quad < 2 ? codes.x : quad < 4 ? codes.y : quad < 6 ? codes.z : codes.w;
    Quad out;
    for (uint32_t i = 0; i < 4; i++) out.values[i] = entry(table, word, quad % 2 * 4 + i);
    return out;
  }
};

// For f32_tile.cuh: any rows, any blocks.
struct TileCodes {
  // Of kNumbers consecutive weights of a row.
  template <uint32_t kNumbers>
  struct Piece {
    uint32_t codes[kNumbers / 8];
    float scale;
  };

  Weight4 weight;
  BlockOf block_of;
  uint64_t columns, inner;
  // Whether 16 weights from a multiple of 16 on are whole bytes of one block.
  bool wide;

  TileCodes(const Weight4 &weight, uint64_t columns, uint64_t inner)
      : weight(weight),
        block_of(weight.block_size),
        columns(columns),
        inner(inner),
        wide(inner % 16 == 0 && weight.block_size % 16 == 0 && is_aligned(weight.codes, sizeof(uint2))) {}

  __device__ void load_table(float *table) const { load_table4(weight.table, table); }

  template <uint32_t kNumbers>
  __device__ Piece<kNumbers> fetch(uint64_t column, uint64_t k) const {
    const uint64_t i = min(column, columns - 1) * inner + k;
    Piece<kNumbers> piece;
    if (!wide) {
      HB_UNROLL for (uint32_t word = 0; word < kNumbers / 8; word++) piece.codes[word] = gather(i + 8 * word, k + 8 * word);
      piece.scale = 0;
      return piece;
    }
    if (kNumbers == 16) {
      const uint2 words = *reinterpret_cast<const uint2 *>(weight.codes + i / 2);
      piece.codes[0] = words.x;
      piece.codes[kNumbers / 8 - 1] = words.y;
    } else {
      piece.codes[0] = *reinterpret_cast<const uint32_t *>(weight.codes + i / 2);
    }
    piece.scale = weight.scales.at(block_of(i));
    return piece;
  }

  // The weights as f32, zeros beyond the end of the row.
  template <uint32_t kNumbers>
  __device__ void decode(const Piece<kNumbers> &piece, const float *table, uint64_t column, uint64_t k, float (&out)[kNumbers]) const {
    uint64_t block = 0, end = ~uint64_t{0};
    const uint64_t i = min(column, columns - 1) * inner + k;
    float scale = piece.scale;
    if (!wide && k < inner) {
      block = block_of(i);
      end = (block + 1) * weight.block_size;
      scale = weight.scales.at(block);
    }
    HB_UNROLL for (uint32_t at = 0; at < kNumbers; at++) {
      if (i + at == end && k + at < inner) {
        end += weight.block_size;
        scale = weight.scales.at(++block);
      }
      const float value = __fmul_rn(entry(table, piece.codes[at / 8], at % 8), scale);
      out[at] = k + at < inner ? value : 0;
    }
  }

 private:
  // Eight codes of a row from element i on, in the order of whole bytes.
  __device__ uint32_t gather(uint64_t i, uint64_t k) const {
    uint32_t word = 0;
    HB_UNROLL for (uint32_t at = 0; at < 8; at++) {
      if (k + at >= inner) continue;
      const uint32_t code = weight.codes[(i + at) / 2] >> ((i + at) % 2 == 0 ? 4 : 0) & 15;
      word |= code << 4 * (at ^ 1);
    }
    return word;
  }
};

}  // namespace hb
