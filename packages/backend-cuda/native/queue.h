// A queue of the ABI: a stream, its memory, and the numbers of its entries.
//
// Each entry is followed by an event. hb_queue_done asks events, hb_queue_wait blocks on one, on a thread of its own and without the
// lock, so that the event loop goes on enqueueing. Every function sets the device for its call alone: other libraries of the process
// have a current device too.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "device.h"
#include "device_traits.h"
#include "errors.h"
#include "memory.h"
#include "paged_memory.h"
#include "paging.h"
#include "staging.h"
#include "standard.h"

namespace hb {

// Makes a device current for the calling thread, and the one before it when it ends.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device);
  ~CurrentDevice();

 private:
  int before_ = -1;
};

// Events are made once and used again and again. The queue guards it.
class EventPool {
 public:
  ~EventPool();
  cudaEvent_t take();
  void give_back(cudaEvent_t event) { free_.push_back(event); }

 private:
  Vector<cudaEvent_t> free_;
};

// Thread blocks that share a sum count their arrivals, one counter per sum.
constexpr uint64_t kArrivals = 16384;

class Queue {
 public:
  explicit Queue(int device);
  // Waits for the work and for those who wait for it.
  ~Queue();

  // Enqueues what `launch(stream)` puts on the stream, as one entry. Throws when it does; then there is no entry.
  template <class Launch>
  void push(const Launch &launch) {
    on_device([&] {
      launch(stream_);
      if (counts_entries_) finish_entry();
    });
  }

  // False: what is pushed is no entry of its own. A stream that is captured as a CUDA graph must not be asked for its events.
  void count_entries(bool counted) { counts_entries_ = counted; }

  const DeviceTraits &traits() const { return traits_; }
  uint64_t last() const { return last_; }
  bool is_done(uint64_t entry);
  // HB_OK, or HB_DEVICE_LOST for an entry that the device did not live to see; for entry 0, once the device is lost.
  hb_status wait(uint64_t entry);

  // In stream order, as no entry of their own.
  void *allocate(uint64_t bytes, bool zeroed);
  // Pinned host memory, which release(), write() and read() take as well.
  void *allocate_paged(uint64_t bytes, bool zeroed);
  bool is_paged(const void *tensor) const { return paged_.holds(tensor); }
  // Made when first asked for.
  Paging &paging();
  void release(void *tensor) noexcept;
  MemoryCounters memory();
  // kArrivals counters on the device, zero whenever no kernel runs (split_sum.cuh).
  uint32_t *arrivals();

  // Memory and streams of other libraries: HB_USABLE or why not; this queue after theirs; theirs after this queue.
  int32_t look_at(const void *foreign, uint64_t bytes);
  void take_over(cudaStream_t foreign);
  void hand_over(cudaStream_t foreign);

  void write(void *target, const void *host, uint64_t bytes, bool adopt);
  void read(const void *source, void *host, uint64_t bytes);

 private:
  void *take_paged(uint64_t bytes);
  void release_paged(void *block);

  struct Pending {
    uint64_t entry;
    cudaEvent_t event;
    int waiting;
  };

  // Runs a body with the device current. A lost device is asked nothing any more: it answers as it did when it was lost.
  template <class Body>
  void on_device(const Body &body) {
    expect_alive();
    try {
      const CurrentDevice current(device_);
      body();
    } catch (const CudaError &error) {
      if (is_lost(error.code)) lose(error.code);
      throw;
    }
  }
  void expect_alive();
  void lose(cudaError_t code);

  void follow(cudaStream_t later, cudaStream_t earlier);
  void finish_entry();
  void await_waiters();
  // Under the lock.
  void take_passed();
  Pending *pending_of(uint64_t entry);
  cudaError_t passed_unlocked(cudaEvent_t event);
  void settle(uint64_t entry, cudaError_t result);
  void end_with(cudaError_t code);

  const int device_;
  const DeviceTraits traits_;
  bool counts_entries_ = true;
  cudaStream_t stream_ = nullptr;
  std::unique_ptr<DeviceMemory> memory_;
  std::unique_ptr<Staging> staging_;
  PagedMemory paged_;
  std::unique_ptr<Paging> paging_;
  uint32_t *arrivals_ = nullptr;
  std::atomic<uint64_t> last_{0}, done_{0};
  Mutex mutex_;  // guards what is below
  EventPool events_;
  Deque<Pending> pending_;
  cudaError_t lost_with_ = cudaSuccess;
  uint64_t lost_after_ = ~uint64_t{0};
};

}  // namespace hb

struct hb_queue final : hb::Queue {
  using Queue::Queue;
};
