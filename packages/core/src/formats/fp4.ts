/**
 * FP4 of bitsandbytes: sign in bit 3, magnitudes {0, 1/192, 2/3, 1, 1/3, 1/2, 1/6, 1/4} in code order. Code 8 is +0 in the
 * Python table. The CUDA source decides on |x| with its own literals, a few ulps from the midpoints (csrc/kernels.cu).
 */
import { tableFormat } from "./format.js";

const magnitudes = [0, 0.0625, 8, 12, 4, 6, 2, 3].map((raw) => raw / 12);

export const fp4 = tableFormat(
  "fp4",
  new Float32Array([...magnitudes, ...magnitudes.map((magnitude) => (magnitude === 0 ? 0 : -magnitude))]),
  "bitsandbytes functional.py; thresholds of profile cuda: csrc/kernels.cu",
  {
    thresholds: new Float32Array([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333]),
    codes: [0, 1, 6, 7, 4, 5, 2, 3],
    signBit: 8,
  },
);
