// The loops of floors.cpp, written once over a vector type; loops.<isa>.cpp gives the type and is compiled for it.
//
// A vector type V has:  kWidth (bytes), Integers, Floats;  load, store, stream, splat(word), add64, sum64;
// and per arithmetic A: A::Vector, A::kMultiplies (multiply-adds of one step), A::zero, A::one, A::step(sum, x, y), A::total(sum).
// With factors of 1 a loop counts its own multiply-adds: that is its checksum.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace floors {

using ReadLoop = uint64_t (*)(const char *from, uint64_t bytes);
using WriteLoop = void (*)(char *to, uint64_t bytes);
using CopyLoop = void (*)(char *to, const char *from, uint64_t bytes);
using MultiplyLoop = uint64_t (*)(uint64_t multiplies);

constexpr int kVariants = 3;
// What a written buffer is filled with.
constexpr uint64_t kWord = 0x0102030405060708;
// Bytes of memory come in multiples of this, per stream and thread.
constexpr uint64_t kBlock = 512;

/// One instruction set. Three ways to do the same: nobody knows beforehand which is the fastest on a machine.
struct Loops {
  const char *isa;
  ReadLoop read[kVariants];
  WriteLoop write[kVariants];
  CopyLoop copy[kVariants];
  MultiplyLoop fma_f32[kVariants], dot_int16[kVariants], dot_int8[kVariants];
};

const Loops *avx512_loops();  // null where it was not compiled or cannot run
const Loops *avx2_loops();
const Loops *portable_loops();

// ── Memory ──

inline void prefetch(const char *at) {
#if defined(__GNUC__)
  __builtin_prefetch(at);
#else
  (void)at;
#endif
}

/// The sum of all 64-bit words, in `streams` runs that are read side by side; prefetches `ahead` bytes.
template <typename V, int streams, int ahead>
uint64_t read_loop(const char *from, uint64_t bytes) {
  constexpr int kVectors = kBlock / V::kWidth;
  typename V::Integers sums[kVectors];
  for (auto &sum : sums) sum = V::splat(0);
  const uint64_t run = bytes / streams / kBlock * kBlock;
  const auto add_block = [&](const char *block) {
    for (int i = 0; i < kVectors; i++) sums[i] = V::add64(sums[i], V::load(block + i * V::kWidth));
  };
  for (uint64_t at = 0; at < run; at += kBlock) {
    for (int stream = 0; stream < streams; stream++) {
      const char *const block = from + stream * run + at;
      if (ahead > 0)
        for (uint64_t line = 0; line < kBlock; line += 64) prefetch(block + ahead + line);
      add_block(block);
    }
  }
  for (uint64_t at = streams * run; at < bytes; at += kBlock) add_block(from + at);
  for (int i = 1; i < kVectors; i++) sums[0] = V::add64(sums[0], sums[i]);
  return V::sum64(sums[0]);
}

template <typename V, int streams, bool past_the_cache>
void write_loop(char *to, uint64_t bytes) {
  const typename V::Integers word = V::splat(kWord);
  const uint64_t run = bytes / streams / kBlock * kBlock;
  const auto write_block = [&](char *block) {
    for (uint64_t at = 0; at < kBlock; at += V::kWidth) past_the_cache ? V::stream(block + at, word) : V::store(block + at, word);
  };
  for (uint64_t at = 0; at < run; at += kBlock)
    for (int stream = 0; stream < streams; stream++) write_block(to + stream * run + at);
  for (uint64_t at = streams * run; at < bytes; at += kBlock) write_block(to + at);
  V::finish_streams();
}

template <typename V, bool past_the_cache, int ahead>
void copy_loop(char *to, const char *from, uint64_t bytes) {
  for (uint64_t block = 0; block < bytes; block += kBlock) {
    if (ahead > 0)
      for (uint64_t line = 0; line < kBlock; line += 64) prefetch(from + block + ahead + line);
    for (uint64_t at = block; at < block + kBlock; at += V::kWidth) {
      const typename V::Integers value = V::load(from + at);
      past_the_cache ? V::stream(to + at, value) : V::store(to + at, value);
    }
  }
  V::finish_streams();
}

// ── Arithmetic ──

/// `sums` independent chains hide the latency of a step.
template <typename A, std::size_t... sums>
uint64_t multiply_chains(uint64_t multiplies, std::index_sequence<sums...>) {
  typename A::Vector x = A::one(), chains[] = {(static_cast<void>(sums), A::zero())...};
  const typename A::Vector y = A::one();
  (A::hide(chains[sums]), ...);  // or they would be one: all start alike
  for (uint64_t done = 0; done < multiplies; done += sizeof...(sums) * A::kMultiplies) {
    A::hide(x);
    ((chains[sums] = A::step(chains[sums], x, y)), ...);
  }
  return (A::total(chains[sums]) + ...);
}

template <typename A, int chains>
uint64_t multiply_loop(uint64_t multiplies) {
  return multiply_chains<A>(multiplies, std::make_index_sequence<chains>());
}

/// The table of one vector type. `few`, `some`, `many` chains: as the registers allow.
template <typename V, int few, int some, int many>
const Loops *table_of(const char *isa) {
  static const Loops loops = {
      isa,
      {read_loop<V, 1, 0>, read_loop<V, 1, 4096>, read_loop<V, 4, 2048>},
      {write_loop<V, 1, true>, write_loop<V, 4, true>, write_loop<V, 1, false>},
      {copy_loop<V, true, 0>, copy_loop<V, true, 4096>, copy_loop<V, false, 0>},
      {multiply_loop<typename V::F32, few>, multiply_loop<typename V::F32, some>, multiply_loop<typename V::F32, many>},
      {multiply_loop<typename V::Int16, few>, multiply_loop<typename V::Int16, some>, multiply_loop<typename V::Int16, many>},
      {multiply_loop<typename V::Int8, few>, multiply_loop<typename V::Int8, some>, multiply_loop<typename V::Int8, many>},
  };
  return &loops;
}

}  // namespace floors
