// What the operations share: an entry without exceptions, f32 copies of 16-bit arguments, and the lowest fault of all ranges.
#pragma once
#include <atomic>
#include <memory>
#include <utility>

#include "cost.h"
#include "kernels.h"
#include "memory.h"
#if defined(__wasm__)
#include "sliced_queue.h"
#else
#include "queue.h"
#endif

namespace hb {

// Pushes the task that `build` returns; no exception leaves the library.
template <class Build>
hb_status enqueue(hb_queue *queue, double cost, const Build &build) noexcept {
  try {
    queue->push(cost, build());
    return HB_OK;
  } catch (...) {
    return status_of_exception();
  }
}

// An argument as f32: the tensor itself, or a copy that lives as long as the task. Null stays null.
class Widened {
 public:
  // Adds the stage that fills the copy, when there is one.
  Widened(Task &task, Floats source, uint64_t count);
  // From that stage on.
  const float *data() const { return copy_ ? copy_->data() : given_; }

 private:
  using Copy = memory::Later<float>;
  std::shared_ptr<Copy> copy_;
  const float *given_;
};

// The lowest flat index that any range reports; −1, for none, is the highest number as the ranges compare it.
class LowestIndex {
 public:
  void see(int64_t index) {
    const uint64_t found = static_cast<uint64_t>(index);
    uint64_t lowest = lowest_.load(std::memory_order_relaxed);
    while (found < lowest && !lowest_.compare_exchange_weak(lowest, found, std::memory_order_relaxed)) {
    }
  }
  // After the loop.
  void store(int64_t *fault) const {
    if (fault) *fault = static_cast<int64_t>(lowest_.load(std::memory_order_relaxed));
  }

 private:
  std::atomic<uint64_t> lowest_{~uint64_t{0}};
};

inline uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

}  // namespace hb
