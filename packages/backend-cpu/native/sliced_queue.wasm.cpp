// Steps through the stages of the first task.
#include "sliced_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cost.h"

namespace hb {
namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();

// Whole tiles, unless one alone takes too long.
uint64_t rows_within(const Rows &rows, double nanoseconds) {
  const double wanted = nanoseconds / rows.cost;
  if (!(wanted < static_cast<double>(rows.count))) return rows.count;
  const uint64_t most = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  return most < rows.align ? most : most / rows.align * rows.align;
}

}  // namespace

void Queue::push(double cost, Task task) {
  const bool is_small = cost < 0 || (inline_allowed_ && cost <= inline_limit());
  const bool runs_here = is_small && is_idle();
  entries_.push_back({std::move(task), false});
  last_++;
  if (runs_here) step(kForEver);
}

void Queue::push_or_do(const std::function<void()> &now, const std::function<Task()> &later) {
  push(kAtOnce, is_idle() ? Task{once(now)} : later());
}

hb_status Queue::wait(uint64_t entry) const {
  if (entry > done_) return HB_FAILED;
  const auto failure = failures_.find(entry);
  return failure == failures_.end() ? HB_OK : failure->second;
}

int32_t Queue::step(double nanoseconds) {
  if (state() != HB_WORKING) return state();
  const Task &task = entries_.front().task;
  running_ = true;
  while (stage_ < task.size() && nanoseconds > 0) nanoseconds -= run_rows(task[stage_], nanoseconds);
  running_ = false;
  if (stage_ == task.size()) finish();
  return state();
}

void Queue::hold() {
  entries_.push_back({{}, true});
  last_++;
}

void Queue::pass() {
  if (state() == HB_HELD) finish();
}

bool Queue::fail_running(hb_status status) {
  if (!running_) return false;
  running_ = false;
  failures_.emplace(done_ + 1, status);
  finish();
  return true;
}

double Queue::run_rows(const Stage &stage, double nanoseconds) {
  if (!begun_) {
    rows_ = stage.begin();
    next_row_ = 0;
    begun_ = true;
  }
  const uint64_t end = std::min(rows_.count, next_row_ + rows_within(rows_, nanoseconds)), ran = end - next_row_;
  if (ran > 0) stage.body(next_row_, end, 0);
  next_row_ = end;
  if (end == rows_.count) {
    stage_++;
    begun_ = false;
  }
  return static_cast<double>(ran) * rows_.cost;
}

void Queue::finish() {
  entries_.pop_front();
  stage_ = 0;
  begun_ = false;
  done_++;
}

}  // namespace hb
