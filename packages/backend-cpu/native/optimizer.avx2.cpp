// Optimizer steps, eight elements at a time (optimizer_lanes.h). The table of 1 KiB that decodes 8-bit codes lies in L1, values are fetched one by one; codes
// are encoded by buckets, 32 at a time. Registers, Adam in 8 bits: constants 7, element 6, maxima 2.
#include <new>

#include "encode_8bit_avx2.h"
#include "lanes_avx2.h"
#include "optimizer_lanes.h"

namespace hb::avx2 {
namespace {

/// Codes of one map to values and back. An encoder is one of several types and is called once per block, through a pointer.
class StateCodec {
 public:
  static constexpr uint64_t group = 8;

  StateCodec(const Map8 &map, hb_profile profile) : code_(map.code), signs_(map) {
    if (profile == HB_CUDA && !signs_.fit(map)) return;
    with_encoder_8bit(map, profile, [&](const auto &encoder) {
      using Encoder = std::decay_t<decltype(encoder)>;
      static_assert(sizeof encoder <= sizeof encoder_ && alignof(Encoder) <= 64);
      new (encoder_) Encoder(encoder);
      encode_ = profile == HB_CUDA ? encode_with<Encoder, true> : encode_with<Encoder, false>;
    });
  }
  StateCodec(const StateCodec &) = delete;

  bool suits() const { return encode_ != nullptr; }

  inline void decode(const uint8_t *codes, float absmax, Lanes (&out)[1]) const {
    uint64_t all;
    memcpy(&all, codes, sizeof all);
    const auto value = [&](int i) { return code_[uint8_t(all >> 8 * i)]; };
    out[0] = Lanes(_mm256_setr_ps(value(0), value(1), value(2), value(3), value(4), value(5), value(6), value(7))) * absmax;
  }

  void encode(const float *values, uint64_t count, float factor, uint8_t *codes) const { encode_(*this, values, count, factor, codes); }

 private:
  template <class Encoder, bool is_cuda>
  static void encode_with(const StateCodec &codec, const float *values, uint64_t count, float factor, uint8_t *codes) {
    const Encoder &encoder = *std::launder(reinterpret_cast<const Encoder *>(codec.encoder_));
    const Lanes scale = factor;
    for (uint64_t i = 0; i < count; i += 32) {
      const Lanes s0 = Lanes::load(values + i) * scale, s1 = Lanes::load(values + i + 8) * scale;
      const Lanes s2 = Lanes::load(values + i + 16) * scale, s3 = Lanes::load(values + i + 24) * scale;
      __m256i found = encoder.codes_of(s0.v, s1.v, s2.v, s3.v);
      if constexpr (is_cuda) found = codec.with_signs_of(found, low_bytes(sign_of_each(s0), sign_of_each(s1), sign_of_each(s2), sign_of_each(s3)));
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(codes + i), found);
    }
  }

  /// 1 where negative.
  static inline __m256i sign_of_each(Lanes s) { return _mm256_srli_epi32(_mm256_castps_si256(s.v), 31); }

  /// See CodeSigns. Saturating: the first and last stay.
  inline __m256i with_signs_of(__m256i codes, __m256i negative) const {
    const __m256i first = _mm256_set1_epi8(char(signs_.negative));
    const __m256i is_high = _mm256_cmpeq_epi8(_mm256_max_epu8(codes, first), codes);
    const __m256i one = _mm256_set1_epi8(1);
    const __m256i up = _mm256_andnot_si256(_mm256_or_si256(is_high, _mm256_cmpeq_epi8(negative, one)), one);
    return _mm256_subs_epu8(_mm256_adds_epu8(codes, up), _mm256_and_si256(is_high, negative));
  }

  const float *code_;
  CodeSigns signs_;
  void (*encode_)(const StateCodec &, const float *, uint64_t, float, uint8_t *) = nullptr;
  alignas(64) unsigned char encoder_[sizeof(BucketEncoder8)];
};

struct Isa {
  using Lanes = avx2::Lanes;
  using LargestLanes = avx2::LargestLanes;
  using StateCodec = avx2::StateCodec;
};

}  // namespace

void optimizer_32bit(hb_optimizer optimizer, const hb_step &step, hb_profile profile, float trust, uint64_t size, uint64_t begin, uint64_t end,
                     MutableFloats param, Floats grad, float *state1, float *state2, double *direction_norm, double *param_norm) {
  optimizer_32bit_lanes<Isa>(optimizer, step, profile, trust, size, begin, end, param, grad, state1, state2, direction_norm, param_norm);
}

void optimizer_8bit(hb_optimizer optimizer, const hb_step &step, hb_profile profile, uint64_t size, uint64_t block_size, uint64_t begin, uint64_t end,
                    MutableFloats param, Floats grad, uint8_t *state1, uint8_t *state2, const Map8 &map1, const Map8 *map2, float *absmax1,
                    float *absmax2) {
  optimizer_8bit_lanes<Isa>(optimizer, step, profile, size, block_size, begin, end, param, grad, state1, state2, map1, map2, absmax1, absmax2);
}

}  // namespace hb::avx2
