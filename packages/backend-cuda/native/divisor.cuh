// Division of 64-bit numbers by one that is known on the host. A GPU has no instruction for it: a hundred others, called as a function, for which
// registers must be put aside.
#pragma once
#include <cstdint>

#include "launch.cuh"

namespace hb {

// Of numbers below 2^63, by multiplication (Granlund and Montgomery, Division by Invariant Integers using Multiplication, 1994, theorem 4.2).
class Divisor {
 public:
  explicit Divisor(uint64_t value) : value_(value) {
    while (shift_ < 63 && uint64_t{1} << shift_ < value) shift_++;
    // 2^(63 + shift) / value, rounded up: of 64 bits, since value > 2^(shift - 1). Powers of two need none.
    if (uint64_t{1} << shift_ != value) factor_ = static_cast<uint64_t>((static_cast<unsigned __int128>(1) << (63 + shift_)) / value + 1);
  }

  __device__ uint64_t value() const { return value_; }
  __device__ uint64_t quotient(uint64_t number) const { return factor_ == 0 ? number >> shift_ : __umul64hi(number, factor_) >> (shift_ - 1); }
  __device__ uint64_t remainder(uint64_t number) const { return number - quotient(number) * value_; }

 private:
  uint64_t value_, factor_ = 0;
  uint32_t shift_ = 0;
};

}  // namespace hb
