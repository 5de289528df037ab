// An in-order queue: a dispatcher thread that runs entries one after the other over its share of the pool.
//
// What it guarantees: entries take effect in the order of push(), whatever thread pushes and runs them; one runs at a time. A small entry
// runs on the pushing thread when that is allowed and nothing is before it. What it does not: it knows no operation and no tensor.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "halfbyte.h"
#include "pool.h"
#include "task.h"

namespace hb {

// Cost of a task that may always run on the calling thread: it is over sooner than a thread could be told of it.
constexpr double kAtOnce = -1;

class Queue {
 public:
  explicit Queue(int threads);
  // Waits for the work and for those who wait for it.
  ~Queue();

  // Threads per loop; loop bodies get slots below it.
  int threads() const { return parallel_.threads(); }

  // Takes the next number. `cost` is in nanoseconds (cost.h). Throws when there is no memory for the entry, which then does not exist.
  void push(double cost, Task task);
  // As push(), but calls `now` at once if nothing is before it, and else pushes what `later` returns.
  void push_or_do(const std::function<void()> &now, const std::function<Task()> &later);

  void allow_inline(bool allowed);
  uint64_t last();
  bool is_done(uint64_t entry);
  // Blocks. HB_OK, or the status of what this very entry threw; entries after it are not blamed for it.
  hb_status wait(uint64_t entry);

 private:
  using Lock = std::unique_lock<std::mutex>;
  bool is_idle() const { return !running_ && tasks_.empty(); }
  void run_here(Task task, Lock &lock);
  void await_news(Lock &lock);
  void dispatch();

  const Parallel parallel_;
  std::mutex mutex_;  // guards the rest
  std::condition_variable work_, progress_;
  std::deque<Task> tasks_;
  std::atomic<bool> has_news_{false};  // a task, or the end: what the dispatcher looks at without the mutex
  uint64_t last_ = 0, done_ = 0;
  std::map<uint64_t, hb_status> failures_;
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
