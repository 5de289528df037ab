// The thread pool: one per process, shared by all queues.
//
// What it is: parallel loops over independent rows, in which the calling thread takes part. Several threads may run loops at once;
// the workers serve whichever has rows left. What it is not: a task scheduler; a loop body must not start another loop.
// How rows are cut depends on the number of threads, so a body's result must not depend on the cut.
#pragma once
#include <cstdint>
#include <functional>

namespace hb {

// Rows [begin, end). No two bodies of a loop that run at the same time have the same slot; slots count from 0 and stay below Parallel::threads().
using LoopBody = std::function<void(uint64_t begin, uint64_t end, int slot)>;

struct Rows {
  uint64_t count;
  // Nanoseconds per row (cost.h): ranges too small to be worth a thread are not cut.
  double cost = 1;
  // Ranges begin at multiples of this, so that threads do not write to the same cache line and kernels get whole tiles.
  uint64_t align = 1;
};

// The number of threads a queue gets: the option, else HALFBYTE_THREADS, else what the machine has.
int thread_count(int option);

// A share of the pool: at most `threads` threads per loop, the caller included. The pool lives while a share does: the first one starts
// its workers, the last one joins them.
class Parallel {
 public:
  explicit Parallel(int threads);
  ~Parallel();
  Parallel(const Parallel &) = delete;
  Parallel &operator=(const Parallel &) = delete;

  int threads() const { return threads_; }
  // Runs the body over all rows and returns when every row is done. What a body throws is thrown here.
  void loop(const Rows &rows, const LoopBody &body) const;

 private:
  int threads_;
};

// Workers alive in this process.
int worker_count();

}  // namespace hb
