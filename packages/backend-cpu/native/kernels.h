// The kernels of one instruction set, as plain functions over a range of independent rows.
//
// What a kernel is: arithmetic over host memory, re-entrant, no allocation, no threads. What it is not: it knows no queue, no
// fault, no dispatch; ops.cpp cuts an operation into ranges, runs them on the pool and chooses the table. A table may lack entries
// (nullptr): the next lower instruction set fills them. The scalar table has all of them; it is the oracle of the others, and
// must itself equal packages/core/src/reference to the bit for everything but matrix products.
//
// File names: <operation>.<isa>.cpp. Only files of an instruction set are compiled with its flags.
#pragma once
#include <type_traits>

#include "format4.h"
#include "halfbyte.h"

namespace hb {

// A 256-entry map with its 255 midpoints.
struct Map8 {
  float code[256];
  float bounds[255];
};

// A float array of any dtype.
struct Floats {
  const void *data;
  hb_dtype dtype;
};
struct MutableFloats {
  void *data;
  hb_dtype dtype;
};

struct Kernels {
  const char *isa;

  // Blocks [begin, end) of a tensor of `size` elements. Returns the lowest flat index of a value that is not finite, or -1; looks only
  // when `look`. The last nibble of an odd size is the code of 0.
  int64_t (*quantize_4bit)(Floats x, uint64_t size, const Format4 &format, uint32_t block_size, hb_profile profile, bool look, uint64_t begin,
                           uint64_t end, uint8_t *codes, float *absmax);
  // Blocks [begin, end).
  void (*dequantize_4bit)(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint32_t block_size, uint64_t begin,
                          uint64_t end, MutableFloats out);
  // Blocks [begin, end). `map.code` is sorted ascending.
  int64_t (*quantize_blockwise)(Floats x, uint64_t size, const Map8 &map, uint64_t block_size, hb_profile profile, bool look, uint64_t begin,
                                uint64_t end, uint8_t *codes, float *absmax);
  // Elements [begin, end) of `size`: how large the whole output is decides how it is stored.
  void (*dequantize_blockwise)(const uint8_t *codes, const float *absmax, const float *code, uint64_t size, uint64_t block_size, float offset, uint64_t begin,
                               uint64_t end, MutableFloats out);
  // The figures of one segment (hb_quantization_error) of `count` elements from `begin` on. Scale and largest difference are exact; sums are f32 in any
  // order, the scalar table's are float64 in that of the elements.
  void (*measure_segment)(Floats x, uint64_t begin, uint64_t count, const float *decoded, float *figures);
  // Weight rows (output features) [begin, end) for all m rows of x: out[i * n + row]. x and bias are f32 here; blocks may straddle rows;
  // products and sums in f32 (accuracy exact); the scalar table sums in float64, in the order of the reference.
  void (*gemm_4bit)(const float *x, const uint8_t *codes, const float *absmax, const float *code, uint32_t block_size, const float *bias, uint64_t m,
                    uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out);
  // Packed 4-bit weights (packed_4bit.h): these two are null where no instruction set has them, and then nothing is packed. Rows [begin, end) of x in the form
  // that the product wants, in ActivationLayout::bytes() for all (activations.h). False when integers of this accuracy would lose too much of x or of the
  // table: then exact is to be prepared, which takes everything.
  bool (*prepare_activations)(hb_accuracy accuracy, Floats x, const float *code, uint32_t block_size, uint64_t m, uint64_t k, uint64_t begin,
                              uint64_t end, void *prepared);
  // Panels [begin, end) for all m prepared rows. Within c times the sum of the magnitudes of the terms: 4√k·2⁻²⁴ exact, 2⁻¹³ fast, 2⁻⁶ turbo.
  void (*gemm_4bit_packed)(hb_accuracy accuracy, const void *prepared, const void *packed, const float *code, uint32_t block_size, Floats bias, uint64_t m,
                           uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out);
  // Weight rows [begin, end), not transposed; as above with a dense weight.
  void (*gemm)(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, MutableFloats out);
  // Rows of x [begin, end) of the transposed product: out[m,k] = x[m,n]·W[n,k] + bias.
  void (*gemm_transposed)(const float *x, Floats weight, const float *bias, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end,
                          MutableFloats out);
  // Rows [begin, end): row_stats, and 1 in `mask` for outlier columns (mask is private to this range; ops.cpp merges). Returns as quantize_4bit.
  int64_t (*int8_row_stats)(Floats x, uint64_t k, float threshold, bool look, uint64_t begin, uint64_t end, float *row_stats, uint8_t *mask);
  // Rows [begin, end); columns in mask give 0; mask may be null.
  void (*int8_row_quant)(Floats x, uint64_t k, float threshold, const float *row_stats, const uint8_t *mask, uint64_t begin, uint64_t end, int8_t *q);
  void (*int8_row_dequant)(const int8_t *q, const float *row_stats, uint64_t k, uint64_t begin, uint64_t end, float *out);
  // out[i * stride + j] = row i of a[m,k] times row j of b[n,k], exact. Ranges are cut by the caller's pointers.
  void (*int8_matmul)(const int8_t *a, const int8_t *b, uint64_t m, uint64_t n, uint64_t k, int32_t *out, uint64_t stride);
  // Columns [begin, end) of the same product with a repacked b (packed_int8.h): out[i * stride + column - begin]. Both ends are multiples of 64, or n.
  void (*int8_matmul_packed)(const int8_t *a, const uint8_t *packed, uint64_t m, uint64_t n, uint64_t k, uint64_t begin, uint64_t end, int32_t *out,
                             uint64_t stride);
  // Rows [begin, end) of int8MmDequant, to f32 before the last rounding. bias f32 or null.
  void (*int8_mm_dequant)(const int32_t *a, const float *row_stats, const float *col_stats, const float *bias, bool bias_is_float16, uint64_t n,
                          hb_profile profile, uint64_t begin, uint64_t end, MutableFloats out);
  // Elements [begin, end) of a 32-bit step. direction_norm and param_norm: null for the real step; else the squares are added there in float64
  // and nothing is written. trust multiplies the rate.
  void (*optimizer_32bit)(hb_optimizer optimizer, const hb_step &step, hb_profile profile, float trust, uint64_t size, uint64_t begin, uint64_t end,
                          MutableFloats param, Floats grad, float *state1, float *state2, double *direction_norm, double *param_norm);
  // Blocks [begin, end) of an 8-bit step.
  void (*optimizer_8bit)(hb_optimizer optimizer, const hb_step &step, hb_profile profile, uint64_t size, uint64_t block_size, uint64_t begin,
                         uint64_t end, MutableFloats param, Floats grad, uint8_t *state1, uint8_t *state2, const Map8 &map1, const Map8 *map2,
                         float *absmax1, float *absmax2);
};

// The signature of a table entry, to declare the function behind it: KernelOf<decltype(Kernels::gemm)> gemm;
template <class Entry>
using KernelOf = std::remove_pointer_t<Entry>;

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
extern const Kernels neon_kernels;
extern const Kernels dotprod_kernels;
extern const Kernels wasm_kernels;

}  // namespace hb
