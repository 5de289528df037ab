#include "paged_memory.h"

#include <iterator>

#include "errors.h"

namespace hb {

PagedMemory::~PagedMemory() {
  collect(~uint64_t{0});
  for (const auto &[block, bytes] : live_) cudaFreeHost(const_cast<char *>(block));
}

void *PagedMemory::take(uint64_t bytes) {
  void *block = nullptr;
  expect(cudaHostAlloc(&block, bytes, cudaHostAllocPortable), "cudaHostAlloc");
  live_[static_cast<const char *>(block)] = bytes;
  used_ += bytes;
  return block;
}

void PagedMemory::retire(void *block, uint64_t entry) {
  const auto found = live_.find(static_cast<const char *>(block));
  if (found == live_.end()) return;
  retired_.push_back({block, found->second, entry});
  used_ -= found->second;
  retired_bytes_ += found->second;
  live_.erase(found);
}

void PagedMemory::collect(uint64_t done) {
  while (!retired_.empty() && retired_.front().entry <= done) {
    cudaFreeHost(retired_.front().block);
    retired_bytes_ -= retired_.front().bytes;
    retired_.pop_front();
  }
}

bool PagedMemory::holds(const void *address) const {
  const char *byte = static_cast<const char *>(address);
  const auto next = live_.upper_bound(byte);
  return next != live_.begin() && byte < std::prev(next)->first + std::prev(next)->second;
}

}  // namespace hb
