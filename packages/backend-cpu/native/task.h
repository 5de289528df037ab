// An operation as the queue sees it: loops that run one after the other.
//
// Whoever runs a task may stop between two ranges of a loop and go on later, which is how the WebAssembly build, which has one thread, gives
// the event loop its turns. So what a loop needs from the one before it lives in shared state that the stages hold, never on a stack.
#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "pool.h"

namespace hb {

struct Stage {
  // Asked when the stages before are done: how many rows there are, and where memory for this stage is taken.
  std::function<Rows()> begin;
  LoopBody body;
};

using Task = std::vector<Stage>;

// A loop whose size is known beforehand.
inline Stage loop(const Rows &rows, LoopBody body) {
  return {[rows] { return rows; }, std::move(body)};
}

// One step on one thread.
inline Stage once(std::function<void()> step) {
  return {[] { return Rows{1}; }, [step = std::move(step)](uint64_t, uint64_t, int) { step(); }};
}

}  // namespace hb
