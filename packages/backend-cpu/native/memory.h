// Host memory of tensors and of scratch: a pool of 64-byte aligned blocks, one per process.
//
// What it is for: the first touch of a page costs about ten times a later one, so blocks are kept and handed out again. What it is not: it
// knows no queue; a block that is released here may be handed out at once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>

namespace hb::memory {

constexpr uint64_t kAlignment = 64;

// At least `bytes`, contents undefined; null when there is no memory.
void *take(uint64_t bytes) noexcept;
// Null is allowed.
void release(void *block) noexcept;
// Gives back to the system what is kept.
void trim() noexcept;

struct Counters {
  uint64_t used, pooled;
};
Counters counters() noexcept;

// `bytes` up to the next multiple of 64, at least 64.
constexpr uint64_t padded(uint64_t bytes) { return bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// An array for the duration of an operation. Contents undefined.
template <class T>
class Scratch {
 public:
  explicit Scratch(uint64_t count) : data_(static_cast<T *>(take(count * sizeof(T)))) {
    if (!data_) throw std::bad_alloc();
  }
  Scratch() = default;
  ~Scratch() { release(data_); }
  Scratch(Scratch &&other) noexcept : data_(other.data_) { other.data_ = nullptr; }
  Scratch &operator=(Scratch &&) = delete;

  T *data() const { return data_; }
  T &operator[](uint64_t i) const { return data_[i]; }

 private:
  T *data_ = nullptr;
};

// An array that a later stage of a task takes: operations that wait in the queue hold no scratch.
template <class T>
class Later {
 public:
  // Contents undefined.
  void take(uint64_t count) { array_.emplace(count); }
  void drop() { array_.reset(); }
  // Null before take().
  T *data() const { return array_ ? array_->data() : nullptr; }
  T &operator[](uint64_t i) const { return (*array_)[i]; }

 private:
  std::optional<Scratch<T>> array_;
};

}  // namespace hb::memory
