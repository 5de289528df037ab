// One block of an 8-bit optimizer state: decoded with its old absmax, measured, encoded with the new one.
#pragma once
#include "block_scale.h"
#include "encode.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

class StateBlock {
 public:
  StateBlock(uint8_t *codes, float *absmax, const Map8 &map, hb_profile profile)
      : codes_(codes), absmax_(absmax), old_absmax_(*absmax), map_(map), is_cuda_(profile == HB_CUDA) {}

  float decode(uint64_t i) const { return map_.code[codes_[i]] * old_absmax_; }

  void measure(float value) { magnitude_.add(value); }

  // All values are measured: the new absmax is known.
  void settle() {
    const hb_profile profile = is_cuda_ ? HB_CUDA : HB_REFERENCE;
    scaled_ = scaling_of(magnitude_.absmax(profile), profile);
    *absmax_ = scaled_.absmax;
    // CUDA writes code 0 where every scaled value is 0 or NaN, which is so when absmax is 0 or infinite.
    is_cleared_ = is_cuda_ && (scaled_.absmax == 0 || !is_finite(scaled_.absmax));
  }

  void encode(uint64_t i, float value) {
    codes_[i] = is_cuda_ ? with_sign_of(value, is_cleared_ ? uint8_t{0} : NearestTieToEven{map_}(scaled_(value)))
                         : NearestOf256{map_}(scaled_(value));
  }

 private:
  // CUDA moves a code whose sign bit differs from the state's one step toward it. NaN counts as positive, but not as above 0.
  uint8_t with_sign_of(float value, uint8_t code) const {
    if (is_negative(map_.code[code]) == is_negative(value)) return code;
    if (value > 0) return code == 255 ? code : static_cast<uint8_t>(code + 1);
    return code == 0 ? code : static_cast<uint8_t>(code - 1);
  }
  static bool is_negative(float value) { return std::signbit(value) && !is_nan(value); }

  uint8_t *codes_;
  float *absmax_;
  float old_absmax_;
  const Map8 &map_;
  bool is_cuda_;
  Magnitude magnitude_;
  Scaling scaled_ = {};
  bool is_cleared_ = false;
};

}  // namespace
}  // namespace hb
