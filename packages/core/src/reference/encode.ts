/** From scaled values to codes: one function per decision rule. */
import { countBelow, midpoints, thresholdsOf } from "../formats/codebook.js";
import type { Format, SignMagnitudeThresholds } from "../formats/format.js";
import type { Profile } from "../kernels.js";

/** Writes the codes of `values[0, count)` to `codes`. */
export type Encoder = (values: Float32Array, count: number, codes: Uint8Array) => void;

/** Decision rule of a 4-bit format under a profile. */
export function encoder4bit(format: Format, profile: Profile): Encoder {
  if (profile !== "cuda") return nearest(format.code);
  return format.cuda ? signMagnitude(format.cuda) : countAbove(format.code);
}

/** Decision rule of a 256-entry map under a profile. */
export function encoderBlockwise(code: Float32Array, profile: Profile): Encoder {
  if (profile === "cpu") return binned(code);
  return profile === "cuda" ? nearestTieToEven(code) : nearest(code);
}

/** order[number of midpoints strictly below the value]: a tie goes to the lower value, NaN to the highest code. */
function nearest(code: Float32Array): Encoder {
  const { bounds, order } = thresholdsOf(code);
  return (values, count, codes) => {
    for (let i = 0; i < count; i++) codes[i] = order[countBelow(bounds, values[i]!)]!;
  };
}

/** The CUDA decision tree: code = order[number of thresholds t with x > t]; NaN compares false and gives the lowest value. */
function countAbove(code: Float32Array): Encoder {
  const { bounds, order } = thresholdsOf(code);
  return (values, count, codes) => {
    for (let i = 0; i < count; i++) codes[i] = order[Number.isNaN(values[i]!) ? 0 : countBelow(bounds, values[i]!)]!;
  };
}

function signMagnitude({ thresholds, codes: byMagnitude, signBit }: SignMagnitudeThresholds): Encoder {
  return (values, count, codes) => {
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      const magnitude = Number.isNaN(value) ? 0 : countBelow(thresholds, Math.abs(value));
      codes[i] = byMagnitude[magnitude]! + (value < 0 ? signBit : 0);
    }
  };
}

/** Nearest code with ties to the even index, as the binary search of csrc/kernels.cu ends; NaN gives 0. */
function nearestTieToEven(code: Float32Array): Encoder {
  const bounds = midpoints(code);
  return (values, count, codes) => {
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      const lower = Number.isNaN(value) ? 0 : countBelow(bounds, value);
      codes[i] = value === bounds[lower] && lower % 2 === 1 ? lower + 1 : lower;
    }
  };
}

const binCount = 65536;
/** The last maps seen, by content: tensors are viewed anew in every call. */
const recentBins: { readonly code: Float32Array; readonly bins: Uint8Array }[] = [];

/** Bin k holds the nearest code of −1 + 2k/65535: the table of csrc/cpu_ops.cpp since 0.50, approximate between bins. */
function binsOf(code: Float32Array): Uint8Array {
  const known = recentBins.find((entry) => entry.code.every((value, i) => Object.is(value, code[i])));
  if (known) return known.bins;
  const bounds = midpoints(code);
  const bins = Uint8Array.from({ length: binCount }, (_, k) =>
    countBelow(bounds, Math.fround(-1 + Math.fround((2 * k) / (binCount - 1)))),
  );
  recentBins.unshift({ code: code.slice(), bins });
  recentBins.length = Math.min(recentBins.length, 4);
  return bins;
}

function binned(code: Float32Array): Encoder {
  const bins = binsOf(code);
  const fr = Math.fround;
  return (values, count, codes) => {
    for (let i = 0; i < count; i++) {
      const half = fr(fr(values[i]! + 1) * 0.5);
      codes[i] = bins[Math.trunc(fr(half * (binCount - 1) + 0.5))] ?? 0;
    }
  };
}
