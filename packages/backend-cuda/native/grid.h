// How many thread blocks a kernel gets that goes over its work in turns.
#pragma once
#include <algorithm>
#include <cstdint>

namespace hb {

inline uint64_t ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

// Enough to fill the largest GPU many times over; further work comes in further turns, which share the tables in shared memory.
constexpr uint64_t kMostThreadBlocks = 16384;

// Fewer for kernels that prepare more than a handful of values before they begin.
inline uint32_t thread_blocks(uint64_t wanted, uint64_t most = kMostThreadBlocks) { return static_cast<uint32_t>(std::min(wanted, most)); }

}  // namespace hb
