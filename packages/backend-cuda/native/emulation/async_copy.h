// Asynchronous copies, played as late as allowed: until a thread waits for it, a copy's target holds garbage. A kernel that reads too early or writes
// to a buffer that is still read is seen either way.
#pragma once
#include <cstring>

#include "kernel_language.h"

namespace hb::emulation {

// A null source copies zeros.
inline void copy_async(void *target, const void *source, uint32_t bytes) {
  std::memset(target, 0xdb, bytes);
  Block::current->copies().started.push_back({target, source, bytes});
}

inline void end_copy_group() { Block::current->copies().end_group(); }

inline void await_copies(size_t pending) { Block::current->copies().await(pending); }

}  // namespace hb::emulation
