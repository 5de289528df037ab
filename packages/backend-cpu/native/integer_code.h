// A 16-entry table as integers, for products in integer arithmetic.
//
// Integers lie evenly and table entries do not, so the factor is searched: the one with the least relative error of the worst entry. For NF4 that halves
// the error of the largest possible factor; for FP4, whose entries are multiples of 1/192, it finds the factors that lose nothing.
#pragma once
#include <cstdint>

#include "float32.h"

namespace hb {
// Unnamed: every instruction set compiles its own copy, and the linker must not choose one of them for all.
namespace {

// entry[i] · unit is about code[i].
struct IntegerCode {
  int32_t entry[16];
  float unit;
  // Whether products with it can stay within the accuracy asked for.
  bool suits;
};

struct CodeMagnitude {
  float largest = 0, mean = 0;
  bool finite = true;
};

inline CodeMagnitude magnitude_of(const float *code) {
  CodeMagnitude found;
  for (int i = 0; i < 16; i++) {
    const float magnitude = std::fabs(code[i]);
    found.finite = found.finite && is_finite(magnitude);
    if (magnitude > found.largest) found.largest = magnitude;
    found.mean += magnitude / 16;
  }
  return found;
}

// Which of the factors of `lanes` candidates, largest entry = first + step·i, is best.
struct FactorSearch {
  static constexpr int lanes = 32;
  float best[lanes], target[lanes];

  // Errors count relative to the entry, or to a part of the mean where entries are smaller than what matters in a sum.
  void run(const float *code, const CodeMagnitude &magnitude, int first, int last, int step) {
    float scaled[16], weight[16];
    for (int i = 0; i < 16; i++) {
      scaled[i] = code[i] / magnitude.largest;
      const float least = magnitude.mean / 8, size = std::fabs(code[i]);
      weight[i] = magnitude.largest / (size > least ? size : least);
    }
    for (int lane = 0; lane < lanes; lane++) best[lane] = 1e30f, target[lane] = 0;
    for (int begin = first; begin <= last; begin += lanes * step) {
      float candidate[lanes], worst[lanes];
      for (int lane = 0; lane < lanes; lane++) candidate[lane] = static_cast<float>(begin + lane * step), worst[lane] = 0;
      for (int i = 0; i < 16; i++)
        for (int lane = 0; lane < lanes; lane++) {
          const float value = scaled[i] * candidate[lane];
          const float error = std::fabs(value - round_half_even(value)) * weight[i];
          worst[lane] = worst[lane] > error ? worst[lane] : error;
        }
      for (int lane = 0; lane < lanes; lane++) {
        const float relative = worst[lane] / candidate[lane];
        const bool better = relative < best[lane];
        best[lane] = better ? relative : best[lane];
        target[lane] = better ? candidate[lane] : target[lane];
      }
    }
  }

  float found() const {
    int at = 0;
    for (int lane = 1; lane < lanes; lane++)
      if (best[lane] < best[at] || (best[lane] == best[at] && target[lane] > target[at])) at = lane;
    return target[at];
  }
};

// `tolerance`: the error of a product relative to the sum of the magnitudes of its terms.
inline IntegerCode make_integer_code(const float *code, int first, int last, int step, float tolerance) {
  IntegerCode made{};
  const CodeMagnitude magnitude = magnitude_of(code);
  if (!magnitude.finite || magnitude.largest < 0x1p-10f || magnitude.largest > 0x1p10f) return made;
  FactorSearch search;
  search.run(code, magnitude, first, last, step);
  const float factor = search.found() / magnitude.largest;
  made.unit = magnitude.largest / search.found();
  float squares = 0;
  for (int i = 0; i < 16; i++) {
    const float rounded = round_half_even(code[i] * factor), error = code[i] - rounded * made.unit;
    made.entry[i] = static_cast<int32_t>(rounded);
    squares += error * error / 16;
  }
  // Half of the tolerance at most: the other half is for the activations.
  made.suits = std::sqrt(squares) <= tolerance / 2 * magnitude.mean;
  return made;
}

}  // namespace
}  // namespace hb
