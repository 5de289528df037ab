// Memory of the device for what is enqueued while it lives: it goes back in stream order.
#pragma once
#include "queue.h"

namespace hb {

class Scratch {
 public:
  // Null for no bytes. Throws CudaError.
  Scratch(hb_queue &queue, uint64_t bytes) : queue_(queue), memory_(bytes > 0 ? queue.allocate(bytes, false) : nullptr) {}
  ~Scratch() {
    if (memory_) queue_.release(memory_);
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  template <class T>
  T *as() const {
    return static_cast<T *>(memory_);
  }

 private:
  hb_queue &queue_;
  void *const memory_;
};

}  // namespace hb
