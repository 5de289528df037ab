// Mutual exclusion, and nothing where there is one thread.
#pragma once
#if !defined(__wasm__)
#include <mutex>
#endif

namespace hb {

#if defined(__wasm__)
struct Mutex {};
struct Lock {
  explicit Lock(Mutex &) {}
  ~Lock() {}
};
#else
using Mutex = std::mutex;
using Lock = std::lock_guard<std::mutex>;
#endif

}  // namespace hb
