// The codes of one 8-bit map to values and back, for the blocks of an optimizer state.
//
// Isa brings Lanes; Decoder, made from a map; with_encoder(), which finds one of several types of encoder; encoder_bytes, enough for any of them;
// encode<is_cuda>(), which runs one; and group, the number of codes decoded at a time.
#pragma once
#include <new>

#include "encode.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

/// On CUDA a code whose sign is not that of its value moves one step toward it. Codes below `negative` are negative.
struct CodeSigns {
  uint32_t negative = 0;

  explicit CodeSigns(const Map8 &map) {
    while (negative < 256 && std::signbit(map.code[negative])) negative++;
  }
  /// Whether that is so of all codes, and +0 has a code that is not negative: then the sign of a zero needs no closer look.
  bool fit(const Map8 &map) const {
    for (uint32_t i = negative; i < 256; i++)
      if (std::signbit(map.code[i])) return false;
    return NearestTieToEven{map}(0) >= negative;
  }
};

template <class Isa>
class StateCodec {
 public:
  static constexpr uint64_t group = Isa::group;
  using Lanes = typename Isa::Lanes;

  StateCodec(const Map8 &map, hb_profile profile) : decoder_(map), signs_(map) {
    if (profile == HB_CUDA && !signs_.fit(map)) return;
    Isa::with_encoder(map, profile, [&](const auto &encoder) {
      using Encoder = std::decay_t<decltype(encoder)>;
      static_assert(sizeof(Encoder) <= sizeof encoder_ && alignof(Encoder) <= 64);
      new (encoder_) Encoder(encoder);
      encode_ = profile == HB_CUDA ? encode_with<Encoder, true> : encode_with<Encoder, false>;
    });
  }
  StateCodec(const StateCodec &) = delete;

  /// Whether there is an encoder; if not, the scalar kernels know every map.
  bool suits() const { return encode_ != nullptr; }

  inline void decode(const uint8_t *codes, float absmax, Lanes (&out)[group / Lanes::count]) const { decoder_.decode(codes, absmax, out); }

  /// Values times factor are finite and below 2 in magnitude. One call through a pointer per block.
  void encode(const float *values, uint64_t count, float factor, uint8_t *codes) const { encode_(*this, values, count, factor, codes); }

 private:
  template <class Encoder, bool is_cuda>
  static void encode_with(const StateCodec &codec, const float *values, uint64_t count, float factor, uint8_t *codes) {
    const Encoder &encoder = *std::launder(reinterpret_cast<const Encoder *>(codec.encoder_));
    Isa::template encode<is_cuda>(encoder, codec.signs_, values, count, factor, codes);
  }

  typename Isa::Decoder decoder_;
  CodeSigns signs_;
  void (*encode_)(const StateCodec &, const float *, uint64_t, float, uint8_t *) = nullptr;
  alignas(64) unsigned char encoder_[Isa::encoder_bytes];
};

}  // namespace
}  // namespace hb
