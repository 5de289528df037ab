// Tensor cores: one warp multiplies a tile, each lane holding its part of it in registers.
//
// All three products have the same layout in 32-bit words, with g = lane / 4 and t = lane % 4 (PTX manual, mma.m16n8k16 for .f16 and .bf16,
// mma.m16n8k32 for .s8). A step is 32 bytes of k: eight words of a row.
//
//   A, 16 rows:    a[0] row g, word t      a[1] row g + 8, word t      a[2] row g, word t + 4      a[3] row g + 8, word t + 4
//   B, 8 columns:  b[0] column g, word t   b[1] column g, word t + 4
//   C, 16 by 8:    c[0] row g, column 2t   c[1] row g, column 2t + 1   c[2] row g + 8, column 2t   c[3] row g + 8, column 2t + 1
//
// Not seen on a GPU yet: test/tensor_core_test.cpp holds it to a literal copy of the manual's tables.
#pragma once
#include <cstdint>

#include "launch.cuh"
#if defined(HB_EMULATED)
#include "emulation/tensor_core.h"
#endif

namespace hb {

// The oldest generations whose tensor cores compute these (device_traits.h).
constexpr int kFloat16MmaCapability = 75, kBfloat16MmaCapability = 80, kInt8MmaCapability = 75;

#if !defined(HB_EMULATED) && defined(__CUDA_ARCH__)
constexpr int kCompiledCapability = __CUDA_ARCH__ / 10;
#else
constexpr int kCompiledCapability = 1000;
#endif

// f32 sums of products of float16.
struct Float16Mma {
  using Accumulator = float;
  static constexpr int kCapability = kFloat16MmaCapability;

  static __device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(HB_EMULATED)
    emulation::mma<emulation::Float16Pair>(c, a, b);
#elif __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
    multiply_half(c, a[0], a[1], b[0]);
    multiply_half(c, a[2], a[3], b[1]);
#endif
  }

 private:
#if !defined(HB_EMULATED)
  // 16 bytes of k: what the first tensor cores that know this layout do at once.
  static __device__ __forceinline__ void multiply_half(float (&c)[4], uint32_t a0, uint32_t a1, uint32_t b) {
#if __CUDA_ARCH__ >= 750
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(b));
#endif
  }
#endif
};

// f32 sums of products of bfloat16.
struct Bfloat16Mma {
  using Accumulator = float;
  static constexpr int kCapability = kBfloat16MmaCapability;

  static __device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(HB_EMULATED)
    emulation::mma<emulation::Bfloat16Pair>(c, a, b);
#elif __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
  }
};

// Exact sums of products of signed bytes.
struct Int8Mma {
  using Accumulator = int32_t;
  static constexpr int kCapability = kInt8MmaCapability;

  static __device__ __forceinline__ void multiply(int32_t (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if defined(HB_EMULATED)
    emulation::mma<emulation::Int8Quad>(c, a, b);
#elif __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
    multiply_quarter(c[0], c[1], a[0], b[0]);
    multiply_quarter(c[0], c[1], a[2], b[1]);
    multiply_quarter(c[2], c[3], a[1], b[0]);
    multiply_quarter(c[2], c[3], a[3], b[1]);
#endif
  }

 private:
#if !defined(HB_EMULATED)
  static __device__ __forceinline__ void multiply_quarter(int32_t &c0, int32_t &c1, uint32_t a, uint32_t b) {
#if __CUDA_ARCH__ >= 750
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0, %1}, {%2}, {%3}, {%0, %1};" : "+r"(c0), "+r"(c1) : "r"(a), "r"(b));
#endif
  }
#endif
};

#if !defined(HB_EMULATED)
__device__ __forceinline__ uint32_t shared_address(const void *pointer) { return static_cast<uint32_t>(__cvta_generic_to_shared(pointer)); }
#endif

// Four matrices of eight rows, 16 bytes each, from shared memory: lane l gives the address of row l % 8 of matrix l / 8 and gets of matrix i, in
// words[i], word lane % 4 of row lane / 4.
__device__ __forceinline__ void load_matrices(uint32_t (&words)[4], const void *row) {
#if defined(HB_EMULATED)
  emulation::load_matrices(words, row, false);
#elif __CUDA_ARCH__ >= 750
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(shared_address(row)));
#endif
}

// The same, each matrix transposed, its elements being of 16 bits: word t of row g holds elements g of rows 2t and 2t + 1.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&words)[4], const void *row) {
#if defined(HB_EMULATED)
  emulation::load_matrices(words, row, true);
#elif __CUDA_ARCH__ >= 750
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(shared_address(row)));
#endif
}

}  // namespace hb
