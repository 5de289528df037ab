// Queues and memory of halfbyte.h. The other calls are in ops_*.cpp and build_info.cpp.
#include <cstring>
#include <memory>

#include "enqueue.h"
#include "memory.h"
#include "mutex.h"

namespace {

using hb::memory::Scratch;

// Open queues: the last one takes the kept memory with it.
hb::Mutex open_mutex;
int open_queues = 0;

void count_open(int change) {
  const hb::Lock lock(open_mutex);
  open_queues += change;
  if (open_queues == 0) hb::memory::trim();
}

hb::Rows bytes_in_lines(uint64_t bytes) { return {bytes, hb::cost::copy_byte, hb::memory::kAlignment}; }

hb::LoopBody copy(void *to, const void *from) {
  return [=](uint64_t begin, uint64_t end, int) { std::memcpy(static_cast<char *>(to) + begin, static_cast<const char *>(from) + begin, end - begin); };
}

hb::LoopBody clear(void *block) {
  return [=](uint64_t begin, uint64_t end, int) { std::memset(static_cast<char *>(block) + begin, 0, end - begin); };
}

hb_status enqueue_bytes(hb_queue *queue, uint64_t bytes, const hb::LoopBody &body) noexcept {
  return hb::enqueue(queue, static_cast<double>(bytes) * hb::cost::copy_byte, [&] { return hb::Task{hb::loop(bytes_in_lines(bytes), body)}; });
}

// The bytes taken now, to be written when the queue gets there.
hb::Task write_later(void *target, const void *host, uint64_t bytes) {
  const auto staged = std::make_shared<Scratch<char>>(bytes);
  std::memcpy(staged->data(), host, bytes);
  return {hb::loop(bytes_in_lines(bytes), [=](uint64_t begin, uint64_t end, int slot) { copy(target, staged->data())(begin, end, slot); })};
}

}  // namespace

extern "C" {

hb_status hb_queue_create(int32_t device, int32_t threads, hb_queue **out) {
  if (device != 0) return HB_UNSUPPORTED;
  try {
    *out = new hb_queue(threads);
  } catch (...) {
    return hb::status_of_exception();
  }
  count_open(1);
  return HB_OK;
}

void hb_queue_destroy(hb_queue *queue) {
  if (!queue) return;
  delete queue;
  count_open(-1);
}

void hb_queue_allow_inline(hb_queue *queue, int32_t allowed) { queue->allow_inline(allowed != 0); }

uint64_t hb_queue_last(hb_queue *queue) { return queue->last(); }

int32_t hb_queue_done(hb_queue *queue, uint64_t entry) { return queue->is_done(entry) ? 1 : 0; }

hb_status hb_queue_wait(hb_queue *queue, uint64_t entry) { return queue->wait(entry); }

void *hb_alloc(hb_queue *queue, uint64_t bytes, int32_t zeroed) {
  char *block = static_cast<char *>(hb::memory::take(bytes));
  if (!block) return nullptr;
  std::memset(block + bytes, 0, hb::memory::padded(bytes) - bytes);
  if (!zeroed || bytes == 0) return block;
  if (enqueue_bytes(queue, bytes, clear(block)) == HB_OK) return block;
  hb::memory::release(block);
  return nullptr;
}

void hb_free(hb_queue *queue, void *tensor) {
  if (tensor) hb::enqueue(queue, hb::kAtOnce, [=] { return hb::Task{hb::once([=] { hb::memory::release(tensor); })}; });
}

void hb_memory(hb_queue *, uint64_t *host_used, uint64_t *host_pooled) {
  const hb::memory::Counters counters = hb::memory::counters();
  *host_used = counters.used;
  *host_pooled = counters.pooled;
}

hb_status hb_write(hb_queue *queue, void *tensor, uint64_t offset, const void *host, uint64_t bytes, int32_t adopt) {
  char *target = static_cast<char *>(tensor) + offset;
  if (adopt) return enqueue_bytes(queue, bytes, copy(target, host));
  try {
    // Copying to the tensor costs the caller no more than copying aside.
    queue->push_or_do([=] { std::memcpy(target, host, bytes); }, [=] { return write_later(target, host, bytes); });
    return HB_OK;
  } catch (...) {
    return hb::status_of_exception();
  }
}

hb_status hb_read(hb_queue *queue, const void *tensor, uint64_t offset, void *host, uint64_t bytes) {
  const char *source = static_cast<const char *>(tensor) + offset;
  return enqueue_bytes(queue, bytes, copy(host, source));
}
}
