// Widening of arguments, as a stage.
#include "enqueue.h"

#include "float_array.h"

namespace hb {

Widened::Widened(Task &task, Floats source, uint64_t count) : given_(static_cast<const float *>(source.data)) {
  if (!source.data || source.dtype == HB_FLOAT32) return;
  const auto copy = std::make_shared<Copy>();
  const auto begin = [=] {
    copy->take(count);
    return Rows{count, cost::widen, 16};
  };
  task.push_back({begin, [=](uint64_t first, uint64_t end, int) { widen(source, first, end - first, copy->data() + first); }});
  copy_ = copy;
}

}  // namespace hb
