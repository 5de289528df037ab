// What a SIMD quantizer multiplies a block with. Internal linkage, see simd_avx512.h.
#pragma once

namespace hb {
namespace {

/// Of profile reference: fr(1 / max(absmax, 1e-38)).
inline float block_reciprocal(float absmax) { return 1.0f / (absmax < 1e-38f ? 1e-38f : absmax); }

}  // namespace
}  // namespace hb
