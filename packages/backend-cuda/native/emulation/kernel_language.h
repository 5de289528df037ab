// CUDA C++ as far as our kernels use it, for a CPU compiler: keywords, indices, warp operations, atomics, arithmetic that rounds once.
//
// Compile with -ffp-contract=off -fno-strict-aliasing. Blocks run one after the other, so shared memory is static; each CPU thread has its own.
#pragma once
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"
#include "float16.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __shared__ static thread_local

#define threadIdx (hb::emulation::Block::current->thread_index())
#define blockIdx (hb::emulation::Block::current->block_index())
#define blockDim (hb::emulation::Block::current->block_size())
#define gridDim (hb::emulation::Block::current->grid_size())

struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) int4 {
  int32_t x, y, z, w;
};
struct alignas(8) int2 {
  int32_t x, y;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};

namespace hb::emulation {

inline uint64_t meet(Meeting kind, uint32_t mask, uint64_t value = 0, uint32_t source = 0) { return Block::current->meet(kind, mask, value, source); }

template <class T>
T shuffle(uint32_t mask, T value, uint32_t source) {
  static_assert(sizeof(T) <= 8, "a shuffle moves 8 bytes at most");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = meet(Meeting::shuffle, mask, bits, source);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t lane() { return Block::current->lane(); }

// The lane `other` if it lies in the same part of `width` lanes, else this one.
inline uint32_t within(uint32_t other, uint32_t width) { return (other & ~(width - 1)) == (lane() & ~(width - 1)) ? other : lane(); }

// Several CPU threads may run kernels at once.
template <class T, class Change>
T change_atomically(T *target, Change change) {
  T old, wanted;
  __atomic_load(target, &old, __ATOMIC_RELAXED);
  do wanted = change(old);
  while (!__atomic_compare_exchange(target, &old, &wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace hb::emulation

// ── Threads of a warp and of a block ──

inline void __syncthreads() { hb::emulation::meet(hb::emulation::Meeting::block, 0); }
inline int __syncthreads_or(int predicate) { return hb::emulation::meet(hb::emulation::Meeting::block, 0, predicate != 0) != 0; }
inline void __syncwarp(uint32_t mask = ~0u) { hb::emulation::meet(hb::emulation::Meeting::warp, mask); }

template <class T>
T __shfl_sync(uint32_t mask, T value, int source, uint32_t width = 32) {
  const uint32_t base = hb::emulation::lane() & ~(width - 1);
  return hb::emulation::shuffle(mask, value, base | (static_cast<uint32_t>(source) & (width - 1)));
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, uint32_t other, uint32_t width = 32) {
  return hb::emulation::shuffle(mask, value, hb::emulation::within(hb::emulation::lane() ^ other, width));
}
template <class T>
T __shfl_down_sync(uint32_t mask, T value, uint32_t by, uint32_t width = 32) {
  return hb::emulation::shuffle(mask, value, hb::emulation::within(hb::emulation::lane() + by, width));
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, uint32_t by, uint32_t width = 32) {
  return hb::emulation::shuffle(mask, value, hb::emulation::within(hb::emulation::lane() - by, width));
}
inline uint32_t __ballot_sync(uint32_t mask, int predicate) {
  return static_cast<uint32_t>(hb::emulation::meet(hb::emulation::Meeting::ballot, mask, predicate != 0));
}
inline int __any_sync(uint32_t mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(uint32_t mask, int predicate) { return __ballot_sync(mask, predicate == 0) == 0; }

// Threads of the emulated device see each other's writes at once.
inline void __threadfence() {}
template <class T>
T __ldcg(const T *source) {
  return *source;
}

// ── Atomics ──

template <class T>
T atomicAdd(T *target, T value) {
  return hb::emulation::change_atomically(target, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMin(T *target, T value) {
  return hb::emulation::change_atomically(target, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T *target, T value) {
  return hb::emulation::change_atomically(target, [=](T old) { return value > old ? value : old; });
}
template <class T>
T atomicCAS(T *target, T expected, T value) {
  return hb::emulation::change_atomically(target, [=](T old) { return old == expected ? value : old; });
}

// ── Arithmetic ──

inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }

inline uint32_t __float_as_uint(float value) { return hb::bits_of(value); }
inline float __uint_as_float(uint32_t bits) { return hb::from_bits(bits); }

// The four products of signed bytes, added to c, which wraps.
inline int __dp4a(int a, int b, int c) {
  uint32_t sum = static_cast<uint32_t>(c);
  for (int shift = 0; shift < 32; shift += 8) sum += static_cast<uint32_t>(static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift));
  return static_cast<int>(sum);
}
// To nearest even; NaN gives 0.
inline int __float2int_rn(float value) {
  if (value != value) return 0;
  return value >= 0x1p31f ? INT32_MAX : value <= -0x1p31f ? INT32_MIN : static_cast<int>(std::nearbyint(value));
}
// The low word of high:low shifted right.
inline uint32_t __funnelshift_r(uint32_t low, uint32_t high, uint32_t shift) {
  return static_cast<uint32_t>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}
// The larger of each half.
inline uint32_t __vmaxu2(uint32_t a, uint32_t b) {
  const uint32_t low = (a & 0xffff) > (b & 0xffff) ? a & 0xffff : b & 0xffff, high = a >> 16 > b >> 16 ? a >> 16 : b >> 16;
  return high << 16 | low;
}
inline uint32_t __vminu2(uint32_t a, uint32_t b) { return ~__vmaxu2(~a, ~b); }
inline uint64_t __umul64hi(uint64_t a, uint64_t b) { return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64); }
inline int __popc(uint32_t value) { return __builtin_popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }

inline int max(int a, int b) { return a > b ? a : b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }
inline uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }
inline uint64_t max(uint64_t a, uint64_t b) { return a > b ? a : b; }
inline uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }
