// The queue of the WebAssembly build, which has one thread: an in-order queue that runs nothing by itself. Whoever holds the thread asks it to
// step on, and may do other things between two steps.
//
// What it guarantees is what queue.h does: entries take effect in the order of push(); a small one runs within push() when that is allowed and
// nothing is before it.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include "halfbyte_wasm.h"
#include "task.h"

namespace hb {

// As in queue.h.
constexpr double kAtOnce = -1;

class Queue {
 public:
  explicit Queue(int) {}

  int threads() const { return 1; }

  void push(double cost, Task task);
  void push_or_do(const std::function<void()> &now, const std::function<Task()> &later);

  void allow_inline(bool allowed) { inline_allowed_ = allowed; }
  uint64_t last() const { return last_; }
  bool is_done(uint64_t entry) const { return entry <= done_; }
  // Of an entry that is done.
  hb_status wait(uint64_t entry) const;

  // Runs the next entry, or as many rows of it as take about this long by the estimates of cost.h, one at least. HB_IDLE, HB_WORKING or HB_HELD.
  int32_t step(double nanoseconds);
  // An entry that is done when the caller says so.
  void hold();
  void pass();
  // After a step that ended in a trap: its entry has failed. False when none was running.
  bool fail_running(hb_status status);

 private:
  bool is_idle() const { return entries_.empty(); }
  int32_t state() const { return is_idle() ? HB_IDLE : entries_.front().is_held ? HB_HELD : HB_WORKING; }
  // Returns its estimated cost.
  double run_rows(const Stage &stage, double nanoseconds);
  void finish();

  struct Entry {
    Task task;
    bool is_held;
  };
  std::deque<Entry> entries_;
  // Where the first one stands.
  size_t stage_ = 0;
  bool begun_ = false;
  Rows rows_ = {0};
  uint64_t next_row_ = 0;

  uint64_t last_ = 0, done_ = 0;
  std::map<uint64_t, hb_status> failures_;
  bool inline_allowed_ = false, running_ = false;
};

// Nothing is thrown in this build: see library.wasm.cpp.
inline hb_status status_of_exception() noexcept { return HB_FAILED; }

}  // namespace hb

struct hb_queue final : hb::Queue {
  using Queue::Queue;
};
