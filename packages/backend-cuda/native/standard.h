// The standard library as far as it runs everywhere this library shall: containers whose code is all in headers, and a mutex.
//
// What a newer compiler takes from libstdc++.so (std::string, hashing, the overflow check of std::allocator, std::mutex) needs a newer
// libstdc++ than older systems have, and linking it statically needs a newer glibc. scripts/check-library.mjs holds the built file to that.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#if defined(_WIN32)
#include <mutex>
#else
#include <pthread.h>
#endif

namespace hb {

template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class Other>
  Allocator(const Allocator<Other> &) {}

  T *allocate(size_t count) {
    void *memory = count > SIZE_MAX / sizeof(T) ? nullptr : std::malloc(count * sizeof(T));
    if (!memory) throw std::bad_alloc();
    return static_cast<T *>(memory);
  }
  void deallocate(T *memory, size_t) { std::free(memory); }

  friend bool operator==(const Allocator &, const Allocator &) { return true; }
  friend bool operator!=(const Allocator &, const Allocator &) { return false; }
};

template <class T>
using Vector = std::vector<T, Allocator<T>>;
template <class T>
using Deque = std::deque<T, Allocator<T>>;
template <class Key, class Value>
using Map = std::map<Key, Value, std::less<Key>, Allocator<std::pair<const Key, Value>>>;
using String = std::basic_string<char, std::char_traits<char>, Allocator<char>>;

#if defined(_WIN32)
using Mutex = std::mutex;
#else
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex &) = delete;
  Mutex &operator=(const Mutex &) = delete;
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};
#endif

class Lock {
 public:
  explicit Lock(Mutex &mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() { mutex_.unlock(); }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

 private:
  Mutex &mutex_;
};

// Without the mutex until it ends.
class Unlock {
 public:
  explicit Unlock(Mutex &mutex) : mutex_(mutex) { mutex_.unlock(); }
  ~Unlock() { mutex_.lock(); }
  Unlock(const Unlock &) = delete;
  Unlock &operator=(const Unlock &) = delete;

 private:
  Mutex &mutex_;
};

}  // namespace hb
