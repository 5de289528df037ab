// Optimizer steps, sixteen elements at a time (optimizer_lanes.h). 8-bit codes are decoded by byte planes and encoded by a guess and one exact threshold, 64 at
// a time. Registers, Adam in 8 bits: states 8, constants 7, element 6, maxima 2; the 32 planes of two maps are read from L1.
#include "encode_8bit_avx512.h"
#include "lanes_avx512.h"
#include "optimizer_lanes.h"

namespace hb::avx512 {
namespace {

inline __mmask16 negative_lanes(Lanes s) { return _mm512_movepi32_mask(_mm512_castps_si512(s.v)); }

/// See CodeSigns. Saturating: the first and last stay.
inline __m512i move_to_sign(__m512i codes, __mmask64 negative, CodeSigns signs) {
  const __m512i one = _mm512_set1_epi8(1);
  const __mmask64 is_low = _mm512_cmplt_epu8_mask(codes, _mm512_set1_epi8(char(signs.negative)));
  const __m512i raised = _mm512_mask_adds_epu8(codes, is_low & ~negative, codes, one);
  return _mm512_mask_subs_epu8(raised, negative & ~is_low, raised, one);
}

struct Isa {
  using Lanes = avx512::Lanes;
  using LargestLanes = avx512::LargestLanes;
  static constexpr uint64_t group = 64, encoder_bytes = 2048;

  struct Decoder {
    Planes<256> planes;

    explicit Decoder(const Map8 &map) : planes(map.code) {}
    inline void decode(const uint8_t *codes, float absmax, Lanes (&out)[4]) const {
      planes.look_up(_mm512_loadu_si512(codes), out[0].v, out[1].v, out[2].v, out[3].v);
#pragma GCC unroll 4
      for (Lanes &value : out) value = value * absmax;
    }
  };

  template <class Run>
  static void with_encoder(const Map8 &map, hb_profile profile, const Run &run) {
    with_encoder_8bit(map, profile, run);
  }

  template <bool is_cuda, class Encoder>
  static void encode(const Encoder &encoder, CodeSigns signs, const float *values, uint64_t count, Lanes scale, uint8_t *codes) {
    for (uint64_t i = 0; i < count; i += 64) {
      const Lanes s0 = Lanes::load(values + i) * scale, s1 = Lanes::load(values + i + 16) * scale;
      const Lanes s2 = Lanes::load(values + i + 32) * scale, s3 = Lanes::load(values + i + 48) * scale;
      __m512i found = encoder.codes_of(s0.v, s1.v, s2.v, s3.v);
      if constexpr (is_cuda)
        found = move_to_sign(found, join_masks(negative_lanes(s0), negative_lanes(s1), negative_lanes(s2), negative_lanes(s3)), signs);
      _mm512_storeu_si512(codes + i, found);
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

}  // namespace hb::avx512
