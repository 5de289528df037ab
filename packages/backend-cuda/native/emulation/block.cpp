// The scheduler of a thread block.
#include "block.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes)
#endif

namespace hb::emulation {

thread_local Block *Block::current = nullptr;

void AsyncCopies::await(size_t pending) {
  while (groups.size() > pending) {
    for (const Copy &copy : groups.front()) {
      if (copy.source) std::memcpy(copy.target, copy.source, copy.bytes);
      else std::memset(copy.target, 0, copy.bytes);
    }
    groups.erase(groups.begin());
  }
}

namespace {

// Kept for the next launch: to make a stack takes longer than most threads of a block run. Of the whole process: streams come and go.
class IdleFibers {
 public:
  std::unique_ptr<Fiber> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fibers_.empty()) return std::make_unique<Fiber>();
    std::unique_ptr<Fiber> fiber = std::move(fibers_.back());
    fibers_.pop_back();
    return fiber;
  }
  void give_back(std::unique_ptr<Fiber> fiber) {
    const std::lock_guard<std::mutex> lock(mutex_);
    fibers_.push_back(std::move(fiber));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
};

IdleFibers &idle_fibers = *new IdleFibers;

}  // namespace

Block::Block(dim3 grid, dim3 block, size_t shared_bytes)
    : grid_(grid), block_(block), threads_(size_t{block.x} * block.y * block.z), shared_(new SharedLine[shared_bytes / sizeof(SharedLine) + 1]) {
  for (size_t i = 0; i < threads_.size(); i++) {
    const uint32_t at = static_cast<uint32_t>(i);
    threads_[i].fiber = idle_fibers.take();
    threads_[i].index = {at % block.x, at / block.x % block.y, at / block.x / block.y};
  }
  ASAN_POISON_MEMORY_REGION(dynamic_shared() + shared_bytes, sizeof(SharedLine) - shared_bytes % sizeof(SharedLine));
}

// A fiber that was left in the middle of a kernel is of no use any more.
Block::~Block() {
  for (Thread &thread : threads_)
    if (thread.state == State::over) idle_fibers.give_back(std::move(thread.fiber));
}

const char *Block::run(uint3 index, void (*kernel)(void *), void *arguments) {
  index_ = index;
  for (Thread &thread : threads_) {
    thread.fiber->prepare(kernel, arguments);
    thread.state = State::ready;
    thread.wants = {};
    thread.copies = {};
  }
  current = this;
  while (run_ready()) {
    if (!failure_ && !is_over() && !open_warps() && !open_block()) fail(why_stuck());
    if (failure_) break;
  }
  current = nullptr;
  return failure_;
}

// Every thread that can go on does, until it waits or is over. False when none could.
bool Block::run_ready() {
  bool ran = false;
  for (running_ = 0; running_ < threads_.size() && !failure_; running_++) {
    Thread &thread = threads_[running_];
    if (thread.state != State::ready) continue;
    ran = true;
    thread.state = thread.fiber->resume() ? State::over : State::waiting;
  }
  return ran;
}

uint64_t Block::meet(Meeting kind, uint32_t mask, uint64_t value, uint32_t source) {
  Thread &thread = threads_[running_];
  thread.wants = {kind, mask, value, source, 0};
  const bool named = (mask >> lane() & 1) != 0;
  if (kind != Meeting::block && !named) fail("a thread calls a warp operation whose mask does not name it");
  thread.fiber->suspend();
  return thread.wants.result;
}

bool Block::is_over() const {
  return std::all_of(threads_.begin(), threads_.end(), [](const Thread &thread) { return thread.state == State::over; });
}

uint32_t Block::lanes_of_warp(uint32_t first) const { return std::min<uint32_t>(kWarp, static_cast<uint32_t>(threads_.size()) - first); }

bool Block::open_warps() {
  bool opened = false;
  for (uint32_t first = 0; first < threads_.size(); first += kWarp)
    for (uint32_t lane = 0; lane < lanes_of_warp(first); lane++) opened |= open_warp(first, lane);
  return opened;
}

// Lets the lanes that `lane` names go on if all of them wait for the same.
bool Block::open_warp(uint32_t first, uint32_t lane) {
  const Thread &asking = threads_[first + lane];
  if (asking.state != State::waiting || asking.wants.kind == Meeting::block) return false;
  const auto takes_part = [&](uint32_t other) { return (asking.wants.mask >> other & 1) != 0; };
  const uint32_t lanes = lanes_of_warp(first);
  for (uint32_t other = 0; other < lanes; other++) {
    const Thread &peer = threads_[first + other];
    const bool same = peer.state == State::waiting && peer.wants.kind == asking.wants.kind && peer.wants.mask == asking.wants.mask;
    if (takes_part(other) && !same) return false;
  }
  const uint32_t mask = asking.wants.mask;
  for (uint32_t other = 0; other < lanes; other++)
    if ((mask >> other & 1) != 0) serve(first, threads_[first + other]);
  for (uint32_t other = 0; other < lanes; other++)
    if ((mask >> other & 1) != 0) threads_[first + other].state = State::ready;
  return true;
}

void Block::serve(uint32_t first, Thread &thread) {
  Rendezvous &wants = thread.wants;
  const uint32_t lanes = lanes_of_warp(first);
  if (wants.kind == Meeting::shuffle) {
    if (wants.source >= lanes || (wants.mask >> wants.source & 1) == 0) return fail("a shuffle reads from a thread that takes no part in it");
    wants.result = threads_[first + wants.source].wants.value;
  }
  if (wants.kind != Meeting::ballot) return;
  for (uint32_t lane = 0; lane < lanes; lane++)
    if ((wants.mask >> lane & 1) != 0 && threads_[first + lane].wants.value != 0) wants.result |= uint64_t{1} << lane;
}

bool Block::open_block() {
  const auto waits = [](const Thread &thread) { return thread.state == State::waiting && thread.wants.kind == Meeting::block; };
  if (!std::all_of(threads_.begin(), threads_.end(), waits)) return false;
  const bool any = std::any_of(threads_.begin(), threads_.end(), [](const Thread &thread) { return thread.wants.value != 0; });
  for (Thread &thread : threads_) {
    thread.wants.result = any;
    thread.state = State::ready;
  }
  return true;
}

const char *Block::why_stuck() const {
  const auto waits_for_warp = [](const Thread &thread) { return thread.state == State::waiting && thread.wants.kind != Meeting::block; };
  if (std::any_of(threads_.begin(), threads_.end(), waits_for_warp)) return "a divergent warp operation: not all threads that its mask names reach it";
  return "a divergent barrier: not all threads of the block reach __syncthreads()";
}

}  // namespace hb::emulation
