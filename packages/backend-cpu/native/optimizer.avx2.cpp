// Optimizer steps, eight elements at a time (optimizer_lanes.h). The table of 1 KiB that decodes 8-bit codes lies in L1, values are fetched one by one; codes
// are encoded by buckets, 32 at a time. Registers, Adam in 8 bits: constants 7, element 6, maxima 2.
#include "encode_8bit_avx2.h"
#include "lanes_avx2.h"
#include "optimizer_lanes.h"

namespace hb::avx2 {
namespace {

/// 1 where negative.
inline __m256i sign_of_each(Lanes s) { return _mm256_srli_epi32(_mm256_castps_si256(s.v), 31); }

/// See CodeSigns. Saturating: the first and last stay.
inline __m256i move_to_sign(__m256i codes, __m256i negative, CodeSigns signs) {
  const __m256i is_high = _mm256_cmpeq_epi8(_mm256_max_epu8(codes, _mm256_set1_epi8(char(signs.negative))), codes);
  const __m256i one = _mm256_set1_epi8(1);
  const __m256i up = _mm256_andnot_si256(_mm256_or_si256(is_high, _mm256_cmpeq_epi8(negative, one)), one);
  return _mm256_subs_epu8(_mm256_adds_epu8(codes, up), _mm256_and_si256(is_high, negative));
}

struct Isa {
  using Lanes = avx2::Lanes;
  using LargestLanes = avx2::LargestLanes;
  static constexpr uint64_t group = 8, encoder_bytes = sizeof(BucketEncoder8);

  struct Decoder {
    const float *code;

    explicit Decoder(const Map8 &map) : code(map.code) {}
    inline void decode(const uint8_t *codes, float absmax, Lanes (&out)[1]) const {
      uint64_t all;
      memcpy(&all, codes, sizeof all);
      const auto value = [&](int i) { return code[uint8_t(all >> 8 * i)]; };
      out[0] = Lanes(_mm256_setr_ps(value(0), value(1), value(2), value(3), value(4), value(5), value(6), value(7))) * absmax;
    }
  };

  template <class Run>
  static void with_encoder(const Map8 &map, hb_profile profile, const Run &run) {
    with_encoder_8bit(map, profile, run);
  }

  template <bool is_cuda, class Encoder>
  static void encode(const Encoder &encoder, CodeSigns signs, const float *values, uint64_t count, Lanes scale, uint8_t *codes) {
    for (uint64_t i = 0; i < count; i += 32) {
      const Lanes s0 = Lanes::load(values + i) * scale, s1 = Lanes::load(values + i + 8) * scale;
      const Lanes s2 = Lanes::load(values + i + 16) * scale, s3 = Lanes::load(values + i + 24) * scale;
      __m256i found = encoder.codes_of(s0.v, s1.v, s2.v, s3.v);
      if constexpr (is_cuda)
        found = move_to_sign(found, low_bytes(sign_of_each(s0), sign_of_each(s1), sign_of_each(s2), sign_of_each(s3)), signs);
      _mm256_storeu_si256(reinterpret_cast<__m256i *>(codes + i), found);
    }
  }
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
