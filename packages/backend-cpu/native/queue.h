// An in-order queue: a dispatcher thread that runs entries one after the other over its share of the pool.
//
// What it guarantees: entries take effect in the order of push(), whatever thread pushes and runs them; one runs at a time. A small entry
// runs on the pushing thread when that is allowed and nothing is before it. What it does not: it knows no operation and no tensor.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "halfbyte.h"
#include "pool.h"

namespace hb {

using Task = std::function<void(const Parallel &parallel)>;

// Cost of a task that may always run on the calling thread: it is over sooner than a thread could be told of it.
constexpr double kAtOnce = -1;

class Queue {
 public:
  explicit Queue(int threads);
  // Waits for the work and for those who wait for it.
  ~Queue();

  // Takes the next number. `cost` is in nanoseconds (cost.h). Throws when there is no memory for the entry, which then does not exist.
  void push(double cost, Task task);
  // As push(), but calls `now` at once if nothing is before it, and else pushes what `later` returns.
  void push_or_do(const std::function<void()> &now, const std::function<Task()> &later);

  void allow_inline(bool allowed);
  uint64_t last();
  bool is_done(uint64_t entry);
  // Blocks. What an entry threw is the status of every wait for it or for a later entry: data after it may be wrong.
  hb_status wait(uint64_t entry);

 private:
  using Lock = std::unique_lock<std::mutex>;
  bool is_idle() const { return !running_ && tasks_.empty(); }
  void run_here(Task task, Lock &lock);
  void dispatch();

  const Parallel parallel_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable work_, progress_;
  std::deque<Task> tasks_;
  uint64_t last_ = 0, done_ = 0;
  uint64_t failed_entry_ = 0;  // the first one, 0 for none
  hb_status failure_ = HB_OK;
  int waiting_ = 0;
  bool inline_allowed_ = false, running_ = false, closing_ = false;
  std::thread dispatcher_;
};

// The status of an exception that is being handled.
hb_status status_of_exception() noexcept;

}  // namespace hb

struct hb_queue final : hb::Queue {
  using Queue::Queue;
};
