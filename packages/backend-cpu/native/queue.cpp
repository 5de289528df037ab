// The dispatcher, and the rule by which an entry stays on the calling thread.
#include "queue.h"

#include <new>
#include <utility>

#include "cost.h"
#include "spin.h"

namespace hb {

hb_status status_of_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc &) {
    return HB_OUT_OF_MEMORY;
  } catch (...) {
    return HB_FAILED;
  }
}

Queue::Queue(int threads) : parallel_(thread_count(threads)), dispatcher_([this] { dispatch(); }) {}

Queue::~Queue() {
  {
    Lock lock(mutex_);
    closing_ = true;
    has_news_.store(true, std::memory_order_release);
    work_.notify_one();
  }
  dispatcher_.join();
  Lock lock(mutex_);
  progress_.wait(lock, [this] { return waiting_ == 0; });
}

void Queue::push(double cost, Task task) {
  Lock lock(mutex_);
  const bool is_small = cost < 0 || (inline_allowed_ && cost <= inline_limit());
  if (is_small && is_idle()) {
    last_++;
    return run_here(std::move(task), lock);
  }
  tasks_.push_back(std::move(task));
  last_++;
  has_news_.store(true, std::memory_order_release);
  work_.notify_one();
}

void Queue::push_or_do(const std::function<void()> &now, const std::function<Task()> &later) {
  Lock lock(mutex_);
  if (is_idle()) {
    last_++;
    return run_here({once(now)}, lock);
  }
  lock.unlock();
  // Nothing that is pushed here by other threads meanwhile has an order with this entry.
  push(kAtOnce, later());
}

void Queue::allow_inline(bool allowed) {
  const Lock lock(mutex_);
  inline_allowed_ = allowed;
}

uint64_t Queue::last() {
  const Lock lock(mutex_);
  return last_;
}

bool Queue::is_done(uint64_t entry) {
  const Lock lock(mutex_);
  return entry <= done_;
}

hb_status Queue::wait(uint64_t entry) {
  Lock lock(mutex_);
  if (entry > last_) return HB_FAILED;
  waiting_++;
  progress_.wait(lock, [&] { return entry <= done_; });
  waiting_--;
  if (closing_) progress_.notify_all();
  const auto failure = failures_.find(entry);
  return failure == failures_.end() ? HB_OK : failure->second;
}

// Runs the next entry, without the lock.
void Queue::run_here(Task task, Lock &lock) {
  running_ = true;
  lock.unlock();
  hb_status status = HB_OK;
  try {
    for (const Stage &stage : task) parallel_.loop(stage.begin(), stage.body);
  } catch (...) {
    status = status_of_exception();
  }
  task.clear();  // what it holds is free before a waiter learns that it is done
  lock.lock();
  running_ = false;
  done_++;
  if (status != HB_OK) failures_.emplace(done_, status);
  if (waiting_ > 0) progress_.notify_all();
  if (!tasks_.empty()) work_.notify_one();
}

// Spins a little, then parks, until there is something to do.
void Queue::await_news(Lock &lock) {
  if (tasks_.empty() && !closing_) {
    has_news_.store(false, std::memory_order_relaxed);
    lock.unlock();
    spin_until([this] { return has_news_.load(std::memory_order_acquire); });
    lock.lock();
  }
  work_.wait(lock, [this] { return !running_ && (closing_ || !tasks_.empty()); });
}

void Queue::dispatch() {
  Lock lock(mutex_);
  for (;;) {
    await_news(lock);
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    run_here(std::move(task), lock);
  }
}

}  // namespace hb
