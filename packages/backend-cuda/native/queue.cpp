// Entries of a stream, and who waits for them.
#include "queue.h"

#include <thread>

namespace hb {

CurrentDevice::CurrentDevice(int device) {
  int current = device;
  expect(cudaGetDevice(&current), "cudaGetDevice");
  if (current == device) return;
  expect(cudaSetDevice(device), "cudaSetDevice");
  before_ = current;
}

CurrentDevice::~CurrentDevice() {
  if (before_ >= 0) cudaSetDevice(before_);
}

EventPool::~EventPool() {
  for (const cudaEvent_t event : free_) cudaEventDestroy(event);
}

cudaEvent_t EventPool::take() {
  if (free_.empty()) {
    cudaEvent_t event = nullptr;
    // Who waits for it sleeps.
    expect(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "cudaEventCreateWithFlags");
    return event;
  }
  const cudaEvent_t event = free_.back();
  free_.pop_back();
  return event;
}

Queue::Queue(int device) : device_(device), traits_(traits_of(device)) {
  const CurrentDevice current(device_);
  // Of its own: the default stream of the process belongs to nobody.
  expect(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  try {
    memory_ = make_device_memory(device_, stream_);
    staging_ = std::make_unique<Staging>(stream_);
  } catch (...) {
    memory_.reset();
    cudaStreamDestroy(stream_);
    throw;
  }
}

Queue::~Queue() {
  try {
    const CurrentDevice current(device_);
    cudaStreamSynchronize(stream_);
    await_waiters();
    paging_.reset();
    staging_.reset();
    memory_.reset();
    for (const Pending &pending : pending_) cudaEventDestroy(pending.event);
    cudaStreamDestroy(stream_);
  } catch (const CudaError &) {
    // The device is gone, and everything on it.
  }
}

// Every event has passed, so that they are on their way: nothing to sleep for.
void Queue::await_waiters() {
  const auto anyone_waits = [this] {
    const Lock lock(mutex_);
    for (const Pending &pending : pending_)
      if (pending.waiting > 0) return true;
    return false;
  };
  while (anyone_waits()) std::this_thread::yield();
}

void Queue::finish_entry() {
  const Lock lock(mutex_);
  const cudaEvent_t event = events_.take();
  const cudaError_t result = cudaEventRecord(event, stream_);
  if (result != cudaSuccess) events_.give_back(event);
  expect(result, "cudaEventRecord");
  pending_.push_back({++last_, event, 0});
  take_passed();
}

bool Queue::is_done(uint64_t entry) {
  if (entry <= done_.load(std::memory_order_acquire)) return true;
  const Lock lock(mutex_);
  take_passed();
  return entry <= done_;
}

hb_status Queue::wait(uint64_t entry) {
  const Lock lock(mutex_);
  take_passed();
  if (Pending *pending = entry > done_ ? pending_of(entry) : nullptr) {
    pending->waiting++;
    const cudaError_t result = passed_unlocked(pending->event);
    pending->waiting--;
    settle(pending->entry, result);
  }
  const bool is_in_time = entry == 0 ? lost_with_ == cudaSuccess : entry <= lost_after_;
  return is_in_time ? HB_OK : HB_DEVICE_LOST;
}

cudaError_t Queue::passed_unlocked(cudaEvent_t event) {
  const Unlock unlock(mutex_);
  return cudaEventSynchronize(event);
}

// Elements of a deque stay where they are while others come and go at its ends.
Queue::Pending *Queue::pending_of(uint64_t entry) {
  for (Pending &pending : pending_)
    if (pending.entry >= entry) return &pending;
  return nullptr;
}

// Asks the events, the oldest first, until one has not passed.
void Queue::take_passed() {
  for (const Pending &pending : pending_) {
    if (pending.entry <= done_) continue;
    const cudaError_t result = cudaEventQuery(pending.event);
    if (result == cudaErrorNotReady) break;
    settle(pending.entry, result);
  }
  while (!pending_.empty() && pending_.front().entry <= done_ && pending_.front().waiting == 0) {
    events_.give_back(pending_.front().event);
    pending_.pop_front();
  }
}

// An entry has passed, or the device is lost.
void Queue::settle(uint64_t entry, cudaError_t result) {
  if (result != cudaSuccess) return end_with(result);
  if (entry > done_) done_.store(entry, std::memory_order_release);
}

// Nothing after what was seen to pass has passed, and nobody waits for it any more.
void Queue::end_with(cudaError_t code) {
  status_of({code, "an entry of a queue"});
  if (lost_with_ == cudaSuccess) lost_with_ = code;
  if (lost_after_ > done_) lost_after_ = done_;
  done_.store(last_, std::memory_order_release);
}

void Queue::lose(cudaError_t code) {
  const Lock lock(mutex_);
  end_with(code);
}

void Queue::expect_alive() {
  const Lock lock(mutex_);
  expect(lost_with_, "a call on a lost device");
}

// More than any device has, and sums of it are still numbers.
constexpr uint64_t kMostBytes = uint64_t{1} << 60;

void *Queue::allocate(uint64_t bytes, bool zeroed) {
  char *block = nullptr;
  on_device([&] {
    if (bytes > kMostBytes) throw CudaError{cudaErrorMemoryAllocation, "hb_alloc"};
    const uint64_t whole = padded(bytes), first = zeroed ? 0 : bytes;
    block = static_cast<char *>(memory_->take(whole));
    if (first < whole) expect(cudaMemsetAsync(block + first, 0, whole - first, stream_), "cudaMemsetAsync");
  });
  return block;
}

void *Queue::allocate_paged(uint64_t bytes, bool zeroed) {
  char *block = nullptr;
  on_device([&] {
    if (bytes > kMostBytes) throw CudaError{cudaErrorMemoryAllocation, "hb_alloc_paged"};
    block = static_cast<char *>(take_paged(padded(bytes)));
    const uint64_t first = zeroed ? 0 : bytes;
    try {
      push([&](cudaStream_t) { staging_->zero_on_host(block + first, padded(bytes) - first); });
    } catch (...) {
      release_paged(block);
      throw;
    }
  });
  return block;
}

// The queue may look at it until its last entry is done.
void Queue::release_paged(void *block) {
  paged_.retire(block, last_);
  if (is_done(last_)) paged_.collect(done_);
}

// What was freed and is still in use may be all that is missing.
void *Queue::take_paged(uint64_t bytes) {
  is_done(last_);
  paged_.collect(done_);
  try {
    return paged_.take(bytes);
  } catch (const CudaError &error) {
    if (error.code != cudaErrorMemoryAllocation) throw;
    cudaGetLastError();
    expect(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    paged_.collect(last_);
    return paged_.take(bytes);
  }
}

Paging &Queue::paging() {
  if (!paging_) paging_ = std::make_unique<Paging>(stream_);
  return *paging_;
}

// Of a lost device nothing comes back, and nobody is told a second time.
void Queue::release(void *tensor) noexcept {
  guarded([=] {
    on_device([=] {
      if (is_paged(tensor)) release_paged(tensor);
      else memory_->give_back(tensor);
    });
  });
}

uint32_t *Queue::arrivals() {
  if (!arrivals_) arrivals_ = static_cast<uint32_t *>(allocate(kArrivals * sizeof(uint32_t), true));
  return arrivals_;
}

MemoryCounters Queue::memory() {
  const MemoryCounters device = memory_->counters(), paged = paged_.counters();
  return {device.used + paged.used, device.pooled + paged.pooled};
}

void Queue::write(void *target, const void *host, uint64_t bytes, bool adopt) {
  push([&](cudaStream_t) {
    if (is_paged(target)) staging_->write_on_host(target, host, bytes, adopt);
    else if (adopt) staging_->write_later(target, host, bytes);
    else staging_->write(target, host, bytes);
  });
}

void Queue::read(const void *source, void *host, uint64_t bytes) {
  push([&](cudaStream_t) { is_paged(source) ? staging_->read_on_host(source, host, bytes) : staging_->read(source, host, bytes); });
}

}  // namespace hb
