// Queues and memory of halfbyte.h. The other calls are in ops_*.cu and build_info.cpp.
#include "build_info.h"
#include "queue.h"
#include "self_check.h"

extern "C" {

// threads belong to a CPU.
hb_status hb_queue_create(int32_t device, int32_t, hb_queue **out) {
  return hb::guarded([=] {
    int count = 0;
    hb::expect(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
    if (device < 0 || device >= count) throw hb::CudaError{cudaErrorInvalidDevice, "hb_queue_create"};
    const hb::CurrentDevice current(device);
    // What the driver cannot run is said now, with CUDA's own error, not by the first operation.
    hb::expect_loadable_kernels();
    hb::see_device(device);
    *out = new hb_queue(device);
  });
}

void hb_queue_destroy(hb_queue *queue) { delete queue; }

// No operation runs on the calling thread.
void hb_queue_allow_inline(hb_queue *, int32_t) {}

uint64_t hb_queue_last(hb_queue *queue) { return queue->last(); }

int32_t hb_queue_done(hb_queue *queue, uint64_t entry) { return queue->is_done(entry) ? 1 : 0; }

hb_status hb_queue_wait(hb_queue *queue, uint64_t entry) { return queue->wait(entry); }

void *hb_alloc(hb_queue *queue, uint64_t bytes, int32_t zeroed) {
  void *tensor = nullptr;
  hb::guarded([&] { tensor = queue->allocate(bytes, zeroed != 0); });
  return tensor;
}

void *hb_alloc_paged(hb_queue *queue, uint64_t bytes, int32_t zeroed) {
  void *tensor = nullptr;
  hb::guarded([&] { tensor = queue->allocate_paged(bytes, zeroed != 0); });
  return tensor;
}

void hb_free(hb_queue *queue, void *tensor) {
  if (tensor) queue->release(tensor);
}

void hb_memory(hb_queue *queue, uint64_t *host_used, uint64_t *host_pooled) {
  const hb::MemoryCounters counters = queue->memory();
  *host_used = counters.used;
  *host_pooled = counters.pooled;
}

hb_status hb_write(hb_queue *queue, void *tensor, uint64_t offset, const void *host, uint64_t bytes, int32_t adopt) {
  return hb::guarded([=] { queue->write(static_cast<char *>(tensor) + offset, host, bytes, adopt != 0); });
}

hb_status hb_read(hb_queue *queue, const void *tensor, uint64_t offset, void *host, uint64_t bytes) {
  return hb::guarded([=] { queue->read(static_cast<const char *>(tensor) + offset, host, bytes); });
}
}
