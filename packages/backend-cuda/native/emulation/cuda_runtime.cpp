// Streams, events and memory of the emulated device.
#include "cuda_runtime.h"

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "block.h"

namespace {

// A kernel that failed takes the device with it, as on a GPU.
std::atomic<cudaError_t> device_error{cudaSuccess};
thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t returned(cudaError_t error) {
  const cudaError_t result = device_error != cudaSuccess ? device_error.load() : error;
  if (result != cudaSuccess) last_error = result;
  return result;
}

}  // namespace

// A thread that does what it is given, in order.
struct EmulatedStream {
  EmulatedStream() : thread_([this] { work(); }) {}
  ~EmulatedStream() {
    push({}, true);
    thread_.join();
  }

  void push(std::function<void()> step, bool last = false) {
    const std::lock_guard<std::mutex> lock(mutex_);
    steps_.push_back(std::move(step));
    closing_ = last;
    news_.notify_all();
  }

  void finish() {
    std::unique_lock<std::mutex> lock(mutex_);
    idle_.wait(lock, [this] { return steps_.empty() && !busy_; });
  }

 private:
  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      news_.wait(lock, [this] { return !steps_.empty(); });
      const std::function<void()> step = std::move(steps_.front());
      steps_.pop_front();
      busy_ = true;
      lock.unlock();
      // After an error nothing happens any more, but events are passed.
      if (step) step();
      lock.lock();
      busy_ = false;
      if (steps_.empty()) idle_.notify_all();
      if (steps_.empty() && closing_) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable news_, idle_;
  std::deque<std::function<void()>> steps_;
  bool busy_ = false, closing_ = false;
  std::thread thread_;
};

struct EmulatedEvent {
  std::mutex mutex;
  std::condition_variable passed;
  uint64_t recorded = 0, reached = 0;
};

// Blocks are never given back before the pool is trimmed.
struct EmulatedPool {
  std::atomic<uint64_t> reserved{0};
};

namespace {

// Memory that nobody wrote is no zero.
constexpr int kUnwritten = 0xa5;

std::mutex allocations_mutex;
struct Allocation {
  size_t bytes;
  EmulatedPool *pool;
};
std::unordered_map<void *, Allocation> allocations;

cudaError_t allocate(void **memory, size_t bytes, EmulatedPool *pool) {
  const size_t rounded = (bytes + 255) & ~size_t{255};
  *memory = rounded < bytes ? nullptr : std::aligned_alloc(256, rounded);
  if (!*memory) return returned(cudaErrorMemoryAllocation);
  std::memset(*memory, kUnwritten, rounded);
  const std::lock_guard<std::mutex> lock(allocations_mutex);
  allocations[*memory] = {rounded, pool};
  if (pool) pool->reserved += rounded;
  return returned(cudaSuccess);
}

void release(void *memory) {
  const std::lock_guard<std::mutex> lock(allocations_mutex);
  const auto found = allocations.find(memory);
  if (found == allocations.end()) return;
  if (found->second.pool) found->second.pool->reserved -= found->second.bytes;
  allocations.erase(found);
  std::free(memory);
}

std::mutex pinned_mutex;
std::map<const char *, size_t> pinned;

bool is_pinned(const void *memory) {
  const std::lock_guard<std::mutex> lock(pinned_mutex);
  const char *byte = static_cast<const char *>(memory);
  const auto next = pinned.upper_bound(byte);
  return next != pinned.begin() && byte < std::prev(next)->first + std::prev(next)->second;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> step) {
  if (device_error != cudaSuccess) return returned(cudaSuccess);
  stream->push([step = std::move(step)] {
    if (device_error == cudaSuccess) step();
  });
  return returned(cudaSuccess);
}

}  // namespace

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 1;
  return returned(cudaSuccess);
}

cudaError_t cudaGetDevice(int *device) {
  *device = current_device;
  return returned(cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  if (device != 0) return returned(cudaErrorInvalidDevice);
  current_device = device;
  return returned(cudaSuccess);
}

namespace {

struct Capability {
  int major = 9, minor = 0;
  Capability() {
    const char *told = std::getenv("HALFBYTE_EMULATED_CAPABILITY");
    if (told && std::sscanf(told, "%d.%d", &major, &minor) != 2) *this = Capability(9, 0);
  }
  Capability(int major, int minor) : major(major), minor(minor) {}
};

// Of the GPUs of a capability, the one that gives a block the least (CUDA C++ Programming Guide, table of technical specifications).
int shared_bytes_of(const Capability &capability) {
  const int number = 10 * capability.major + capability.minor;
  const int kilobytes = number < 70 ? 48 : number < 75 ? 96 : number < 80 ? 64 : number == 80 ? 163 : number < 90 ? 99 : number < 120 ? 227 : 99;
  return kilobytes << 10;
}

int attribute_of(cudaDeviceAttr attribute) {
  const char *pools = std::getenv("HALFBYTE_EMULATED_POOLS");
  const Capability capability;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      return 4;
    case cudaDevAttrComputeCapabilityMajor:
      return capability.major;
    case cudaDevAttrComputeCapabilityMinor:
      return capability.minor;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return shared_bytes_of(capability);
    case cudaDevAttrMemoryPoolsSupported:
      return !(pools && std::strcmp(pools, "0") == 0);
  }
  return 0;
}

}  // namespace

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int) {
  *value = attribute_of(attribute);
  return returned(cudaSuccess);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = new EmulatedStream;
  return returned(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return returned(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  stream->finish();
  return returned(cudaSuccess);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = new EmulatedEvent;
  return returned(cudaSuccess);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return returned(cudaSuccess);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (device_error != cudaSuccess) return returned(cudaSuccess);
  uint64_t number;
  {
    const std::lock_guard<std::mutex> lock(event->mutex);
    number = ++event->recorded;
  }
  stream->push([=] {
    const std::lock_guard<std::mutex> lock(event->mutex);
    event->reached = number;
    event->passed.notify_all();
  });
  return returned(cudaSuccess);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (device_error != cudaSuccess) return returned(cudaSuccess);
  const std::lock_guard<std::mutex> lock(event->mutex);
  return event->reached == event->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::unique_lock<std::mutex> lock(event->mutex);
  event->passed.wait(lock, [=] { return event->reached == event->recorded; });
  return returned(cudaSuccess);
}

cudaError_t cudaMalloc(void **memory, size_t bytes) { return allocate(memory, bytes, nullptr); }

cudaError_t cudaFree(void *memory) {
  release(memory);
  return returned(cudaSuccess);
}

cudaError_t cudaMallocFromPoolAsync(void **memory, size_t bytes, cudaMemPool_t pool, cudaStream_t) { return allocate(memory, bytes, pool); }

cudaError_t cudaFreeAsync(void *memory, cudaStream_t stream) {
  return enqueue(stream, [=] { release(memory); });
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t *pool, const cudaMemPoolProps *) {
  *pool = new EmulatedPool;
  return returned(cudaSuccess);
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  delete pool;
  return returned(cudaSuccess);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void *) { return returned(cudaSuccess); }

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr, void *value) {
  *static_cast<uint64_t *>(value) = pool->reserved;
  return returned(cudaSuccess);
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return returned(cudaSuccess); }

cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned) {
  *memory = std::malloc(bytes);
  const std::lock_guard<std::mutex> lock(pinned_mutex);
  if (*memory) pinned[static_cast<char *>(*memory)] = bytes;
  return returned(*memory ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void *memory) {
  const std::lock_guard<std::mutex> lock(pinned_mutex);
  pinned.erase(static_cast<char *>(memory));
  std::free(memory);
  return returned(cudaSuccess);
}

// As CUDA: of pageable memory the bytes are taken before the call returns, and into pageable memory they are copied before it does.
cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (is_pinned(kind == cudaMemcpyHostToDevice ? source : target)) return enqueue(stream, [=] { std::memcpy(target, source, bytes); });
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

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

const char *cudaGetErrorName(cudaError_t error) { return error == cudaErrorLaunchFailure ? "cudaErrorLaunchFailure" : "cudaError"; }

namespace hb::emulation {

namespace {

void run(const Launch &launch) {
  Block block(launch.grid, launch.block, launch.shared_bytes);
  for (uint32_t z = 0; z < launch.grid.z; z++)
    for (uint32_t y = 0; y < launch.grid.y; y++)
      for (uint32_t x = 0; x < launch.grid.x; x++) {
        const char *wrong = block.run({x, y, z}, launch.run, launch.arguments);
        if (!wrong) continue;
        std::fprintf(stderr, "halfbyte, emulated CUDA: %s (block %u, %u, %u)\n", wrong, x, y, z);
        device_error = cudaErrorLaunchFailure;
        return;
      }
}

}  // namespace

cudaError_t launch(const Launch &launch, cudaStream_t stream) {
  if (launch.shared_bytes > static_cast<size_t>(attribute_of(cudaDevAttrMaxSharedMemoryPerBlockOptin))) return returned(cudaErrorInvalidValue);
  return enqueue(stream, [=] {
    run(launch);
    launch.release(launch.arguments);
  });
}

}  // namespace hb::emulation
