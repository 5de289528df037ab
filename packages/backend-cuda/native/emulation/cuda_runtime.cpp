// Streams, events, copies and launches of the emulated devices.
#include "cuda_runtime.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "block.h"
#include "stream.h"

using namespace hb::emulation;

// How often an event was recorded, and how often its stream has come by. What waits for it may outlive the event.
struct Passings {
  std::mutex mutex;
  std::condition_variable news;
  uint64_t recorded = 0, reached = 0;

  uint64_t record() {
    const std::lock_guard<std::mutex> lock(mutex);
    return ++recorded;
  }
  void reach(uint64_t number) {
    const std::lock_guard<std::mutex> lock(mutex);
    reached = number;
    news.notify_all();
  }
  uint64_t last() {
    const std::lock_guard<std::mutex> lock(mutex);
    return recorded;
  }
  bool has_reached(uint64_t number) {
    const std::lock_guard<std::mutex> lock(mutex);
    return reached >= number;
  }
  void wait_for(uint64_t number) {
    std::unique_lock<std::mutex> lock(mutex);
    news.wait(lock, [=] { return reached >= number; });
  }
};

struct EmulatedEvent {
  explicit EmulatedEvent(int device) : device(device) {}

  const int device;
  const std::shared_ptr<Passings> passings = std::make_shared<Passings>();
};

namespace hb::emulation {

namespace {

// Null is the default stream of the current device.
cudaStream_t stream_of(cudaStream_t given) {
  static std::mutex mutex;
  static std::map<int, EmulatedStream *> &defaults = *new std::map<int, EmulatedStream *>;
  if (given) return given;
  const std::lock_guard<std::mutex> lock(mutex);
  EmulatedStream *&stream = defaults[current_device()];
  if (!stream) stream = new EmulatedStream(current_device());
  return stream;
}

}  // namespace

cudaError_t enqueue(cudaStream_t given, std::function<void()> step) {
  EmulatedStream *const stream = stream_of(given);
  const int device = stream->device;
  if (returned(cudaSuccess, device) != cudaSuccess) return returned(cudaSuccess, device);
  stream->push([device, step = std::move(step)] {
    if (device_at(device).error == cudaSuccess) step();
  });
  return cudaSuccess;
}

}  // namespace hb::emulation

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = new EmulatedStream(current_device());
  return returned(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const int device = stream->device;
  delete stream;
  return returned(cudaSuccess, device);
}

cudaError_t cudaStreamSynchronize(cudaStream_t given) {
  EmulatedStream *const stream = stream_of(given);
  stream->finish();
  return returned(cudaSuccess, stream->device);
}

// What the event stands for when it is called, not what is recorded later.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return enqueue(stream, [passings = event->passings, number = event->passings->last()] { passings->wait_for(number); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = new EmulatedEvent(current_device());
  return returned(cudaSuccess);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return returned(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t given) {
  EmulatedStream *const stream = stream_of(given);
  if (event->device != stream->device) return returned(cudaErrorInvalidResourceHandle);
  if (returned(cudaSuccess, event->device) != cudaSuccess) return returned(cudaSuccess, event->device);
  stream->push([passings = event->passings, number = event->passings->record()] { passings->reach(number); });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (returned(cudaSuccess, event->device) != cudaSuccess) return returned(cudaSuccess, event->device);
  return event->passings->has_reached(event->passings->last()) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  event->passings->wait_for(event->passings->last());
  return returned(cudaSuccess, event->device);
}

// As CUDA: of pageable memory the bytes are taken before the call returns, and into pageable memory they are copied before it does.
cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (is_pinned_memory(kind == cudaMemcpyHostToDevice ? source : target)) return enqueue(stream, [=] { std::memcpy(target, source, bytes); });
  if (kind == cudaMemcpyHostToDevice) {
    const char *first = static_cast<const char *>(source);
    return enqueue(stream, [target, taken = std::vector<char>(first, first + bytes)] { std::memcpy(target, taken.data(), taken.size()); });
  }
  const cudaError_t error = enqueue(stream, [=] { std::memcpy(target, source, bytes); });
  stream->finish();
  return error;
}

cudaError_t cudaMemsetAsync(void *target, int value, size_t bytes, cudaStream_t stream) {
  return enqueue(stream, [=] { std::memset(target, value, bytes); });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *argument) {
  return enqueue(stream, [=] { function(argument); });
}

namespace hb::emulation {

namespace {

void lose(int device, cudaError_t error, const char *why) {
  std::fprintf(stderr, "halfbyte, emulated CUDA: %s\n", why);
  device_at(device).error = error;
}

void run(const Launch &launch, int device) {
  Block block(launch.grid, launch.block, launch.shared_bytes);
  const char *wanted = std::getenv("HALFBYTE_EMULATED_BLOCKS");
  const bool is_last = wanted && std::strcmp(wanted, "last") == 0;
  const auto first = [=](uint32_t count) { return is_last ? count - 1 : 0; };
  for (uint32_t z = first(launch.grid.z); z < launch.grid.z; z++)
    for (uint32_t y = first(launch.grid.y); y < launch.grid.y; y++)
      for (uint32_t x = first(launch.grid.x); x < launch.grid.x; x++) {
        const char *wrong = block.run({x, y, z}, launch.run, launch.arguments);
        if (!wrong) continue;
        char why[256];
        std::snprintf(why, sizeof why, "%s (block %u, %u, %u)", wrong, x, y, z);
        return lose(device, cudaErrorLaunchFailure, why);
      }
}

// Whether what a kernel is given holds an address in the memory of another device, which no GPU could reach.
bool reaches_elsewhere(const Launch &launch, int device) {
  if (device_count() < 2) return false;
  const char *bytes = static_cast<const char *>(launch.arguments);
  for (size_t at = 0; at + sizeof(void *) <= launch.argument_bytes; at += sizeof(void *)) {
    void *word;
    std::memcpy(&word, bytes + at, sizeof word);
    const int owner = device_of(word);
    if (owner >= 0 && owner != device) return true;
  }
  return false;
}

cudaError_t refusal_of(const Launch &launch, int device) {
  int most = 0;
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (device != current_device()) return cudaErrorInvalidResourceHandle;
  return launch.shared_bytes > static_cast<size_t>(most) ? cudaErrorInvalidValue : cudaSuccess;
}

// Not before the call that launched it has returned.
void fail_late(int device, cudaError_t fault) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  lose(device, fault, "a kernel failed, as HALFBYTE_EMULATED_FAULT wants it");
}

cudaError_t wanted_fault() {
  const char *number = std::getenv("HALFBYTE_EMULATED_FAULT");
  return number && *number ? static_cast<cudaError_t>(std::atoi(number)) : cudaSuccess;
}

}  // namespace

cudaError_t launch(const Launch &launch, cudaStream_t stream) {
  const int device = stream->device;
  const cudaError_t refusal = refusal_of(launch, device);
  if (refusal != cudaSuccess) return launch.release(launch.arguments), returned(refusal);
  const cudaError_t fault = wanted_fault();
  return enqueue(stream, [=] {
    if (fault != cudaSuccess) fail_late(device, fault);
    else if (reaches_elsewhere(launch, device)) lose(device, cudaErrorIllegalAddress, "a kernel was given memory of another device");
    else run(launch, device);
    launch.release(launch.arguments);
  });
}

}  // namespace hb::emulation
