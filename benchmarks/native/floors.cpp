// What this machine can do at best: read, write, copy, multiply, and nothing else. `pnpm bench` puts it beside what kernels reach.
//
// A run splits its work over threads that start together at a barrier; starting them is not timed. Everything is wall time.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "loops.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(_WIN32)
#define FLOORS_API extern "C" __declspec(dllexport)
#else
#define FLOORS_API extern "C" __attribute__((visibility("default")))
#endif

using namespace floors;

namespace {

// Numbers that TypeScript knows too (src/floors/library.ts).
enum Kind { kRead, kWrite, kCopy, kFmaF32, kDotInt16, kDotInt8 };

struct Job {
  Kind kind;
  int variant, threads;
  char *memory;
  uint64_t work;  // bytes, or multiply-adds
  uint64_t windows, first;
};

const Loops &loops() {
  static const Loops *const table = [] {
    const Loops *const candidates[] = {avx512_loops(), avx2_loops(), portable_loops()};
    for (const Loops *const candidate : candidates)
      if (candidate) return candidate;
    return portable_loops();
  }();
  return *table;
}

/// Threads wait for each other without leaving the core, for they have one each; on a crowded machine they give way.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  void wait() {
    const int round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; spins++)
      if (spins > 20000) std::this_thread::yield();
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0}, round_{0};
};

/// A window holds what one repetition touches: a copy's source and, behind it, its target.
char *window(const Job &job, uint64_t repetition) {
  const uint64_t size = job.kind == kCopy ? 2 * job.work : job.work;
  return job.memory + (job.first + repetition) % job.windows * size;
}

struct Part {
  uint64_t begin, end;
};

Part part_of(const Job &job, int thread) {
  const uint64_t blocks = job.work / kBlock;
  return {blocks * thread / job.threads * kBlock, blocks * (thread + 1) / job.threads * kBlock};
}

/// The share of one thread; what it computes must not be lost, or the loop would be.
uint64_t run_part(const Job &job, int thread, char *memory) {
  const Part part = part_of(job, thread);
  const uint64_t size = part.end - part.begin;
  switch (job.kind) {
    case kRead:
      return loops().read[job.variant](memory + part.begin, size);
    case kWrite:
      loops().write[job.variant](memory + part.begin, size);
      return 0;
    case kCopy:
      loops().copy[job.variant](memory + job.work + part.begin, memory + part.begin, size);
      return 0;
    case kFmaF32:
      return loops().fma_f32[job.variant](size);
    case kDotInt16:
      return loops().dot_int16[job.variant](size);
    case kDotInt8:
      return loops().dot_int8[job.variant](size);
  }
  return 0;
}

uint64_t run_thread(const Job &job, int thread, int repetitions, Barrier &barrier, double *nanoseconds) {
  uint64_t result = 0;
  for (int i = 0; i < repetitions; i++) {
    barrier.wait();
    const auto start = std::chrono::steady_clock::now();
    result = run_part(job, thread, window(job, i));
    barrier.wait();
    if (thread == 0) nanoseconds[i] = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  }
  return result;
}

/// Of memory that was written, the sum of its words; else what the loops computed.
uint64_t checksum_of(const Job &job, const std::vector<uint64_t> &results, int repetitions) {
  char *const last = window(job, repetitions - 1);
  if (job.kind == kWrite) return loops().read[0](last, job.work);
  if (job.kind == kCopy) return loops().read[0](last + job.work, job.work);
  uint64_t sum = 0;
  for (const uint64_t result : results) sum += result;
  return sum;
}

constexpr uint64_t kPage = 2 << 20;

std::string describe() {
#if defined(__clang__)
  const std::string compiler = "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#elif defined(__GNUC__)
  const std::string compiler = "gcc " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#else
  const std::string compiler = "unknown";
#endif
  return std::string("{\"isa\":\"") + loops().isa + "\",\"compiler\":\"" + compiler + "\"}";
}

}  // namespace

/// JSON: instruction set and compiler.
FLOORS_API const char *floors_info() {
  static const std::string info = describe();
  return info.c_str();
}

/// What a call from JavaScript costs at least.
FLOORS_API void floors_nothing() {}

/// Memory in pages of 2 MiB where the system gives them, every word i holding i times an odd constant; null when there is none.
FLOORS_API void *floors_allocate(uint64_t bytes) {
  const uint64_t rounded = (bytes + kPage - 1) / kPage * kPage;
#if defined(_WIN32)
  void *const memory = _aligned_malloc(rounded, kPage);
#else
  void *const memory = std::aligned_alloc(kPage, rounded);
#endif
  if (!memory) return nullptr;
#if defined(__linux__)
  madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  uint64_t *const words = static_cast<uint64_t *>(memory);
  for (uint64_t i = 0; i < rounded / 8; i++) words[i] = i * 0x9E3779B97F4A7C15;
  return memory;
}

FLOORS_API void floors_free(void *memory) {
#if defined(_WIN32)
  _aligned_free(memory);
#else
  std::free(memory);
#endif
}

/// Runs one variant `repetitions` times and stores the nanoseconds of each; returns the checksum of the last. Repetition i takes window
/// (first + i) mod windows of the memory. `work` is in bytes or multiply-adds, a multiple of 512.
FLOORS_API uint64_t floors_run(int kind, int variant, int threads, void *memory, uint64_t work, uint64_t windows, uint64_t first, int repetitions,
                               double *nanoseconds) {
  const Job job = {static_cast<Kind>(kind), variant, threads, static_cast<char *>(memory), work, windows, first};
  Barrier barrier(threads);
  std::vector<uint64_t> results(threads);
  std::vector<std::thread> helpers;
  for (int thread = 1; thread < threads; thread++)
    helpers.emplace_back([&, thread] { results[thread] = run_thread(job, thread, repetitions, barrier, nanoseconds); });
  results[0] = run_thread(job, 0, repetitions, barrier, nanoseconds);
  for (std::thread &helper : helpers) helper.join();
  return checksum_of(job, results, repetitions);
}
