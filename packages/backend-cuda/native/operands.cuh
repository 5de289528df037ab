// Operands of matrix products whose dtype is looked up when the kernel runs: it is the same for all threads, and a kernel for each would say
// the same again.
#pragma once
#include "elements.cuh"

namespace hb {

// Four numbers as one word of 16 bytes.
union Quad {
  __device__ Quad() {}
  uint4 word;
  float values[4];
};

__device__ inline Quad quad_at(const float *aligned) {
  Quad quad;
  quad.word = *reinterpret_cast<const uint4 *>(aligned);
  return quad;
}

__device__ inline void put_quad(float *aligned, const Quad &quad) { *reinterpret_cast<uint4 *>(aligned) = quad.word; }

struct Floats {
  const void *data;
  hb_dtype dtype;

  __device__ float at(uint64_t i) const { return dtype == HB_FLOAT32 ? static_cast<const float *>(data)[i] : widen(bits_at(i)); }

  // Elements i to i + 3 as they lie in memory, of which the first `count` are there and the others zero. `wide`: i is a multiple of 4, the memory
  // of 16 bytes.
  __device__ uint4 fetch(uint64_t i, uint64_t count, bool wide) const {
    if (dtype == HB_FLOAT32) {
      const auto *x = static_cast<const uint32_t *>(data) + i;
      if (wide && count >= 4) return *reinterpret_cast<const uint4 *>(x);
      return {count > 0 ? x[0] : 0, count > 1 ? x[1] : 0, count > 2 ? x[2] : 0, count > 3 ? x[3] : 0};
    }
    const auto *x = static_cast<const uint16_t *>(data) + i;
    if (wide && count >= 4) {
      const uint2 words = *reinterpret_cast<const uint2 *>(x);
      return {words.x, words.y, 0, 0};
    }
    const auto at = [=](uint32_t i) { return count > i ? static_cast<uint32_t>(x[i]) : 0; };
    return {at(0) | at(1) << 16, at(2) | at(3) << 16, 0, 0};
  }

  // What fetch() gave, as f32.
  __device__ Quad widened(const uint4 &fetched) const {
    Quad quad;
    quad.word = fetched;
    if (dtype == HB_FLOAT32) return quad;
    quad.values[0] = widen(fetched.x & 0xffff);
    quad.values[1] = widen(fetched.x >> 16);
    quad.values[2] = widen(fetched.y & 0xffff);
    quad.values[3] = widen(fetched.y >> 16);
    return quad;
  }

 private:
  __device__ uint32_t bits_at(uint64_t i) const { return static_cast<const uint16_t *>(data)[i]; }
  __device__ float widen(uint32_t bits) const {
    return dtype == HB_FLOAT16 ? Float16::widen(static_cast<uint16_t>(bits)) : Bfloat16::widen(static_cast<uint16_t>(bits));
  }
};

struct MutableFloats {
  void *data;
  hb_dtype dtype;

  __device__ void put(uint64_t i, float value) const {
    if (dtype == HB_FLOAT32) static_cast<float *>(data)[i] = value;
    else static_cast<uint16_t *>(data)[i] = dtype == HB_FLOAT16 ? Float16::narrow(value) : Bfloat16::narrow(value);
  }
};

// x[rows, inner], row after row.
struct Matrix {
  Floats elements;
  uint64_t rows, inner;
  // Whether four elements from a multiple of 4 on are one load.
  bool wide;

  Matrix(const void *data, hb_dtype dtype, uint64_t rows, uint64_t inner)
      : elements{data, dtype}, rows(rows), inner(inner), wide(inner % 4 == 0 && is_aligned(data, sizeof(uint4))) {}

  // Four elements of a row that are there, in a matrix that is wide.
  __device__ uint4 fetch_whole(uint64_t row, uint64_t at) const { return elements.fetch(min(row, rows - 1) * inner + at, 4, true); }
  // Four elements of a row from `at` on, zeros where it has ended. Rows beyond the last: that one.
  __device__ uint4 fetch(uint64_t row, uint64_t at) const {
    return elements.fetch(min(row, rows - 1) * inner + at, at < inner ? inner - at : 0, wide);
  }
};

// out[rows, columns] = sum + bias; bias may be null.
struct Result {
  MutableFloats out;
  Floats bias;
  uint64_t rows, columns;

  __device__ void put(uint64_t row, uint64_t column, float sum) const {
    if (row >= rows || column >= columns) return;
    if (bias.data) sum = __fadd_rn(sum, bias.at(column));
    out.put(row * columns + column, sum);
  }
};

// The sum of a warp in every lane, in the same order each time.
__device__ inline float sum_of_warp(float value) {
  for (uint32_t apart = 16; apart > 0; apart /= 2) value = __fadd_rn(value, __shfl_xor_sync(~0u, value, apart));
  return value;
}

}  // namespace hb
