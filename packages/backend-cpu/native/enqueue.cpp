// Widening of arguments, on the pool.
#include "enqueue.h"

#include "float_array.h"

namespace hb {

Widened::Widened(const Parallel &parallel, Floats source, uint64_t count)
    : copy_(source.data && source.dtype != HB_FLOAT32 ? memory::Scratch<float>(count) : memory::Scratch<float>()),
      data_(copy_.data() ? copy_.data() : static_cast<const float *>(source.data)) {
  if (!copy_.data()) return;
  parallel.loop({count, cost::widen, 16},
                [&](uint64_t begin, uint64_t end, int) { widen(source, begin, end - begin, copy_.data() + begin); });
}

}  // namespace hb
