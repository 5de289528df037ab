// Size classes, and when kept blocks go back to the system.
#include "memory.h"

#include <array>
#include <cstdlib>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "mutex.h"

namespace hb::memory {
namespace {

// Eight classes per power of two: at most an eighth of a block is not asked for.
constexpr int kStepBits = 3;
constexpr uint64_t kSteps = 1 << kStepBits;
constexpr int kClasses = 48 * kSteps;
// Beyond this the blocks that have lain longest are given back.
constexpr bool kIsSmallSpace = sizeof(void *) == 4;
constexpr uint64_t kMostPooled = uint64_t{1} << (kIsSmallSpace ? 28 : 30);
// With 32 bits the C library serves no block of half of them; this is a size class below it.
constexpr uint64_t kLargest = kIsSmallSpace ? uint64_t{7} << 28 : uint64_t{1} << 46;

// Stands in the 64 bytes before every block.
struct alignas(kAlignment) Header {
  uint64_t capacity;
  uint64_t age;  // of the release
  void *start;   // of the memory that both lie in
  int size_class;
};
static_assert(sizeof(Header) == kAlignment, "the block behind a header is aligned");

struct SizeClass {
  int index;
  uint64_t capacity;
};

// Capacities in units of 64 bytes: 1 … 8, then 9 … 16, then 18, 20 … 32, 36 … 64 and so on.
SizeClass class_of(uint64_t bytes) {
  const uint64_t units = padded(bytes) / kAlignment;
  if (units <= kSteps) return {static_cast<int>(units), units * kAlignment};
  int shift = 0;
  while (((units - 1) >> shift) >= 2 * kSteps) shift++;
  const uint64_t step = ((units - 1) >> shift) + 1;  // in (8, 16]
  return {static_cast<int>((shift + 1) * kSteps + (step - kSteps)), (step << shift) * kAlignment};
}

void *allocate_aligned(uint64_t bytes) {
#if defined(_WIN32)
  return _aligned_malloc(bytes, kAlignment);
#else
  return std::aligned_alloc(kAlignment, bytes);
#endif
}

#if defined(__linux__)
constexpr bool kHasHugePages = true;
void wish_for_huge_pages(void *block, uint64_t bytes) { madvise(block, bytes, MADV_HUGEPAGE); }
#else
constexpr bool kHasHugePages = false;
void wish_for_huge_pages(void *, uint64_t) {}
#endif
constexpr uint64_t kHugePage = 2 << 20;

// Weights are read faster than the processor finds their small pages: a quarter of the time of a product that reads its weight from memory. The
// block is aligned to huge pages and the header lies in a small one before it: the first touch of a huge page takes milliseconds, and must not be the
// event loop's.
void *place_in_huge_pages(char *start, uint64_t capacity) {
  const uintptr_t after_header = reinterpret_cast<uintptr_t>(start) + sizeof(Header);
  char *const block = start + sizeof(Header) + (kHugePage - after_header % kHugePage) % kHugePage;
  wish_for_huge_pages(block, capacity / kHugePage * kHugePage);
  return block - sizeof(Header);
}

Header *allocate_block(uint64_t capacity, int size_class) {
  const bool is_huge = kHasHugePages && capacity >= kHugePage;
  char *const start = static_cast<char *>(allocate_aligned(sizeof(Header) + capacity + (is_huge ? kHugePage : 0)));
  if (!start) return nullptr;
  return new (is_huge ? place_in_huge_pages(start, capacity) : start) Header{capacity, 0, start, size_class};
}

void free_block(Header *block) {
#if defined(_WIN32)
  _aligned_free(block->start);
#else
  std::free(block->start);
#endif
}

class BlockPool {
 public:
  // Never destroyed: queues may be open when the process ends.
  static BlockPool &instance() {
    static BlockPool &pool = *new BlockPool;
    return pool;
  }

  Header *take(SizeClass wanted) {
    if (Header *kept = take_kept(wanted)) return kept;
    Header *fresh = allocate(wanted);
    if (!fresh) {
      trim();
      fresh = allocate(wanted);
    }
    if (fresh) count_fresh(fresh->capacity);
    return fresh;
  }

  void release(Header *block) {
    const Lock lock(mutex_);
    used_ -= block->capacity;
    if (block->capacity > kMostPooled) return free_block(block);
    keep(block);
    while (pooled_ > kMostPooled) drop_oldest();
  }

  void trim() {
    const Lock lock(mutex_);
    for (auto &blocks : kept_) {
      for (Header *block : blocks) free_block(block);
      std::vector<Header *>().swap(blocks);
    }
    pooled_ = 0;
  }

  Counters counters() {
    const Lock lock(mutex_);
    return {used_, pooled_};
  }

 private:
  static Header *allocate(SizeClass wanted) { return allocate_block(wanted.capacity, wanted.index); }

  // The block released last: its pages are the most likely to be cached.
  Header *take_kept(SizeClass wanted) {
    const Lock lock(mutex_);
    auto &blocks = kept_[wanted.index];
    if (blocks.empty()) return nullptr;
    Header *block = blocks.back();
    blocks.pop_back();
    pooled_ -= block->capacity;
    used_ += block->capacity;
    return block;
  }

  void count_fresh(uint64_t capacity) {
    const Lock lock(mutex_);
    used_ += capacity;
  }

  void keep(Header *block) {
    block->age = ++releases_;
    try {
      kept_[block->size_class].push_back(block);
      pooled_ += block->capacity;
    } catch (const std::bad_alloc &) {
      free_block(block);
    }
  }

  void drop_oldest() {
    std::vector<Header *> *oldest = nullptr;
    for (auto &blocks : kept_) {
      if (!blocks.empty() && (!oldest || blocks.front()->age < oldest->front()->age)) oldest = &blocks;
    }
    Header *block = oldest->front();
    oldest->erase(oldest->begin());
    pooled_ -= block->capacity;
    free_block(block);
  }

  Mutex mutex_;
  std::array<std::vector<Header *>, kClasses> kept_;  // oldest first
  uint64_t used_ = 0, pooled_ = 0, releases_ = 0;
};

}  // namespace

void *take(uint64_t bytes) noexcept {
  if (bytes > kLargest) return nullptr;
  Header *header = BlockPool::instance().take(class_of(bytes));
  return header ? header + 1 : nullptr;
}

void release(void *block) noexcept {
  if (block) BlockPool::instance().release(static_cast<Header *>(block) - 1);
}

void trim() noexcept { BlockPool::instance().trim(); }

Counters counters() noexcept { return BlockPool::instance().counters(); }

}  // namespace hb::memory
