// Streams of the emulated devices: a thread that does what it is given, in order.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "devices.h"

struct EmulatedStream {
  explicit EmulatedStream(int device) : device(device), thread_([this] { work(); }) {}
  ~EmulatedStream() {
    push({}, true);
    thread_.join();
  }

  void push(std::function<void()> step, bool last = false) {
    const std::lock_guard<std::mutex> lock(mutex_);
    steps_.push_back(std::move(step));
    closing_ = last;
    news_.notify_all();
  }

  void finish() {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return steps_.empty() && !busy_; });
  }

  const int device;

 private:
  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      news_.wait(lock, [this] { return !steps_.empty(); });
      const std::function<void()> step = std::move(steps_.front());
      steps_.pop_front();
      busy_ = true;
      lock.unlock();
      // After an error nothing happens any more, but events are passed.
      if (step) step();
      lock.lock();
      busy_ = false;
      if (steps_.empty()) idle_.notify_all();
      if (steps_.empty() && closing_) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable news_, idle_;
  std::deque<std::function<void()>> steps_;
  bool busy_ = false, closing_ = false;
  std::thread thread_;
};

namespace hb::emulation {

// Nothing of it happens once the device is lost.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> step);

// In memory that CUDA has pinned, so that copies from and to it are asynchronous.
bool is_pinned_memory(const void *byte);

}  // namespace hb::emulation
