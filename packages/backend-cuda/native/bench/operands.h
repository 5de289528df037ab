// Tensors of a benchmark: numbers made on the host, memory of the device that goes back when its set of operands does.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "clock.h"
#include "float16.h"

namespace hb::bench {

inline uint64_t width_of(hb_dtype dtype) { return dtype == HB_FLOAT32 ? 4 : 2; }
inline const char *name_of(hb_dtype dtype) { return dtype == HB_FLOAT32 ? "float32" : dtype == HB_FLOAT16 ? "float16" : "bfloat16"; }

inline float rounded(float value, hb_dtype dtype) {
  if (dtype == HB_FLOAT16) return widen_float16(narrow_to_float16(value));
  return dtype == HB_BFLOAT16 ? widen_bfloat16(narrow_to_bfloat16(value)) : value;
}

// Elements of a dtype as bytes.
inline std::vector<uint8_t> stored(const std::vector<float> &values, hb_dtype dtype) {
  std::vector<uint8_t> bytes(values.size() * width_of(dtype));
  for (size_t i = 0; i < values.size(); i++) {
    const uint16_t half = dtype == HB_FLOAT16 ? narrow_to_float16(values[i]) : narrow_to_bfloat16(values[i]);
    if (dtype == HB_FLOAT32) std::memcpy(&bytes[4 * i], &values[i], 4);
    else std::memcpy(&bytes[2 * i], &half, 2);
  }
  return bytes;
}

// splitmix64: the same numbers in every run.
class Random {
 public:
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  // 0 … 1.
  float uniform() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  // Mean 0, variance 1, by four uniform numbers: the tails are no matter here.
  float normal() { return (uniform() + uniform() + uniform() + uniform() - 2) * 1.7320508f; }

 private:
  uint64_t state_ = 20261122;
};

// Random elements are made once and repeated: a prime number of them, so that no two rows are the same.
constexpr size_t kPattern = 1048583;

inline std::vector<float> normal_pattern(float scale = 1) {
  Random random;
  std::vector<float> values(kPattern);
  for (float &value : values) value = scale * random.normal();
  return values;
}

inline std::vector<float> positive_pattern() {
  Random random;
  std::vector<float> values(kPattern);
  for (float &value : values) value = 0.01f + 0.02f * random.uniform();
  return values;
}

inline std::vector<uint8_t> byte_pattern() {
  Random random;
  std::vector<uint8_t> bytes(kPattern);
  for (uint8_t &byte : bytes) byte = static_cast<uint8_t>(random.bits());
  return bytes;
}

class Tensor {
 public:
  Tensor(hb_queue *queue, uint64_t bytes) : queue_(queue), bytes_(bytes), address_(hb_alloc(queue, bytes, 1)) {
    if (!address_) throw Refused{HB_OUT_OF_MEMORY};
  }
  // The pattern's bytes over and over.
  Tensor(hb_queue *queue, uint64_t bytes, const std::vector<uint8_t> &pattern) : Tensor(queue, bytes) {
    for (uint64_t offset = 0; offset < bytes; offset += pattern.size())
      must(hb_write(queue, address_, offset, pattern.data(), std::min<uint64_t>(pattern.size(), bytes - offset), 0));
  }
  Tensor(Tensor &&other) noexcept : queue_(other.queue_), bytes_(other.bytes_), address_(other.address_) { other.address_ = nullptr; }
  Tensor &operator=(Tensor &&) = delete;
  ~Tensor() { hb_free(queue_, address_); }

  template <class T>
  T *as() const { return static_cast<T *>(address_); }
  operator void *() const { return address_; }
  uint64_t bytes() const { return bytes_; }

  std::vector<uint8_t> read() const {
    std::vector<uint8_t> host(bytes_);
    queue_->count_entries(true);
    must(hb_read(queue_, address_, 0, host.data(), bytes_));
    const hb_status status = hb_queue_wait(queue_, hb_queue_last(queue_));
    queue_->count_entries(false);
    must(status);
    return host;
  }

 private:
  hb_queue *const queue_;
  const uint64_t bytes_;
  void *address_;
};

inline float element(const std::vector<uint8_t> &bytes, hb_dtype dtype, size_t i) {
  float value;
  uint16_t half;
  if (dtype == HB_FLOAT32) return std::memcpy(&value, &bytes[4 * i], 4), value;
  std::memcpy(&half, &bytes[2 * i], 2);
  return dtype == HB_FLOAT16 ? widen_float16(half) : widen_bfloat16(half);
}

}  // namespace hb::bench
