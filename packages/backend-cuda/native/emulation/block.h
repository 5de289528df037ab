// One thread block on one CPU thread: a fiber per CUDA thread, run in turn until all wait for each other.
//
// What it checks: barriers and warp operations that not all of the threads they name reach (a divergent barrier), a thread that calls a
// warp operation without naming itself, a shuffle from a thread that takes no part. What it does not see: data races, weak memory, speed.
// It is stricter than hardware in one point: a thread may not leave the kernel while others still wait in __syncthreads().
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_runtime.h"
#include "fiber.h"

namespace hb::emulation {

constexpr uint32_t kWarp = 32;

enum class Meeting : uint8_t { none, block, warp, shuffle, ballot };

// Dynamic shared memory is made of these: aligned as on a GPU.
struct alignas(128) SharedLine {
  char bytes[128];
};

// What a thread waits for, and what it gets.
struct Rendezvous {
  Meeting kind;
  uint32_t mask;    // the lanes that take part
  uint64_t value;   // what this lane brings
  uint32_t source;  // of a shuffle: the lane whose value it wants
  uint64_t result;
};

// Copies that a thread has started, in groups, and not waited for.
struct AsyncCopies {
  struct Copy {
    void *target;
    const void *source;
    uint32_t bytes;
  };
  std::vector<Copy> started;
  std::vector<std::vector<Copy>> groups;

  void end_group() {
    groups.push_back(std::move(started));
    started.clear();
  }
  // Makes the copies of all groups but the last `pending`.
  void await(size_t pending);
};

class Block {
 public:
  Block(dim3 grid, dim3 block, size_t shared_bytes);
  ~Block();
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;

  // The kernel for one block of the grid. Returns what is wrong with it, or null.
  const char *run(uint3 index, void (*kernel)(void *), void *arguments);

  // Called by threads of the block.
  uint64_t meet(Meeting kind, uint32_t mask, uint64_t value = 0, uint32_t source = 0);
  uint32_t lane() const { return running_ % kWarp; }
  uint32_t warp() const { return static_cast<uint32_t>(running_ / kWarp); }
  AsyncCopies &copies() { return threads_[running_].copies; }
  uint3 thread_index() const { return threads_[running_].index; }
  uint3 block_index() const { return index_; }
  dim3 block_size() const { return block_; }
  dim3 grid_size() const { return grid_; }
  char *dynamic_shared() { return shared_[0].bytes; }

  // The block whose thread runs on this CPU thread.
  static thread_local Block *current;

 private:
  enum class State : uint8_t { ready, waiting, over };
  struct Thread {
    std::unique_ptr<Fiber> fiber;
    uint3 index;
    State state = State::over;
    Rendezvous wants;
    AsyncCopies copies;
  };

  bool run_ready();
  bool open_warps();
  bool open_warp(uint32_t first, uint32_t lane);
  void serve(uint32_t first, Thread &thread);
  bool open_block();
  bool is_over() const;
  const char *why_stuck() const;
  uint32_t lanes_of_warp(uint32_t first) const;
  void fail(const char *why) { failure_ = why; }

  const dim3 grid_, block_;
  uint3 index_{};
  std::vector<Thread> threads_;
  std::unique_ptr<SharedLine[]> shared_;
  size_t running_ = 0;
  const char *failure_ = nullptr;
};

}  // namespace hb::emulation
