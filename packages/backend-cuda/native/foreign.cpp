// Memory and streams of other libraries in the process: what an address is, and waits in both directions.
#include "queue.h"

namespace hb {

namespace {

// Kernels load 16 bytes at once.
constexpr uintptr_t kLoadBytes = 16;

int32_t kind_of(const void *byte, int device) {
  cudaPointerAttributes attributes = {};
  expect(cudaPointerGetAttributes(&attributes, byte), "cudaPointerGetAttributes");
  switch (attributes.type) {
    case cudaMemoryTypeDevice:
      return attributes.device == device ? HB_USABLE : HB_OTHER_DEVICE;
    case cudaMemoryTypeHost:
      return HB_PINNED_HOST;
    case cudaMemoryTypeManaged:
      return HB_MANAGED;
    default:
      return HB_UNKNOWN;
  }
}

}  // namespace

// Of what lies between the first byte and the last CUDA tells nothing.
int32_t Queue::look_at(const void *foreign, uint64_t bytes) {
  int32_t found = HB_UNKNOWN;
  on_device([&] {
    found = kind_of(foreign, device_);
    if (found != HB_USABLE) return;
    if (bytes > 0 && kind_of(static_cast<const char *>(foreign) + (bytes - 1), device_) != HB_USABLE) found = HB_TOO_LONG;
    else if (reinterpret_cast<uintptr_t>(foreign) % kLoadBytes != 0) found = HB_MISALIGNED;
  });
  return found;
}

void Queue::take_over(cudaStream_t foreign) {
  on_device([=] { follow(stream_, foreign); });
}

void Queue::hand_over(cudaStream_t foreign) {
  on_device([=] { follow(foreign, stream_); });
}

// What is enqueued on `later` from now on waits for what was enqueued on `earlier` so far; a wait keeps what the event stood for.
void Queue::follow(cudaStream_t later, cudaStream_t earlier) {
  const Lock lock(mutex_);
  const cudaEvent_t event = events_.take();
  cudaError_t result = cudaEventRecord(event, earlier);
  if (result == cudaSuccess) result = cudaStreamWaitEvent(later, event, 0);
  events_.give_back(event);
  expect(result, "an event between two streams");
}

}  // namespace hb

extern "C" {

hb_status hb_look_at(hb_queue *queue, const void *foreign, uint64_t bytes, int32_t *found) {
  return hb::guarded([=] { *found = queue->look_at(foreign, bytes); });
}

hb_status hb_take_over(hb_queue *queue, void *stream) {
  return hb::guarded([=] { queue->take_over(static_cast<cudaStream_t>(stream)); });
}

hb_status hb_hand_over(hb_queue *queue, void *stream) {
  return hb::guarded([=] { queue->hand_over(static_cast<cudaStream_t>(stream)); });
}
}
