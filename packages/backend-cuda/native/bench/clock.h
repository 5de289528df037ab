// The device's time of a call: the median over rounds of many calls, which are captured as a CUDA graph where that works.
#pragma once
#include <functional>
#include <vector>

#include "../queue.h"

namespace hb::bench {

struct Timing {
  double seconds, best;  // of one call
  int calls, rounds;
  const char *method;  // graph, stream, host
};

// A call of halfbyte.h that did not return HB_OK.
struct Refused {
  hb_status status;
};

inline void must(hb_status status) {
  if (status != HB_OK) throw Refused{status};
}

// Enqueues call i.
using Enqueue = std::function<void(int)>;

class Clock {
 public:
  explicit Clock(hb_queue *queue);
  ~Clock();
  Clock(const Clock &) = delete;
  Clock &operator=(const Clock &) = delete;

  cudaStream_t stream() const { return stream_; }
  // Calls go over `copies` sets of operands in turn. Throws Refused when a call does.
  Timing measure(int copies, const Enqueue &enqueue);

 private:
  struct Round;
  double once(const Round &round);
  std::vector<double> times(const Round &round, int rounds);

  hb_queue *const queue_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace hb::bench
