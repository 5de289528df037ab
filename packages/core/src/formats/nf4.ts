/** NormalFloat 4 (QLoRA, arXiv 2305.14314): 16 quantiles of the normal distribution, zero exact. Table: bitsandbytes, functional.py. */
import { thresholdsOf } from "./codebook.js";
import { type Format, tableFormat } from "./format.js";

const table = tableFormat(
  "nf4",
  new Float32Array([
    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
  ]),
  "QLoRA, arXiv 2305.14314; bitsandbytes functional.py",
);

/**
 * csrc/kernels.cu writes the midpoints as decimals with an f suffix. The midpoint of two f32 may be a tie between two others;
 * a decimal near it, rounded once by the compiler, lands on the other side for these four (seen in the PTX of nvcc 13.0).
 */
const cudaBounds = thresholdsOf(table.code).bounds.slice();
cudaBounds[0] = -0.8480964303016663;
cudaBounds[8] = 0.1202552542090416;
cudaBounds[12] = 0.5016633868217468;
cudaBounds[14] = 0.8614783883094788;

export const nf4: Format = { ...table, cudaBounds };
