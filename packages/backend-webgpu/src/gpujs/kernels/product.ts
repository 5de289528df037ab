/**
 * Products of x with a weight: thread (x, y) sums x[y, i] · W over the elements i in [begin, end). Going along rows of the weight or, transposed,
 * along its columns differs in strides only. Sums are kept in chunks of 64, so that rounding errors do not grow with the length of a row.
 */
import { blockOf, code4bit } from "./decode.js";
import type { Kernel } from "./kernel.js";

const source = (weight: string, step: number, body: string): string => `function (
  ${weight}, x, outerFirst, outerStride, depthStride, rowFirst, rowStride, xFirst, begin, end
) {
  const first = (outerFirst + this.thread.x) * outerStride;
  const row = (rowFirst + this.thread.y) * rowStride + xFirst;
  let total = 0;
  for (let chunk = begin; chunk < end; chunk += 64) {
    const stop = Math.min(chunk + 64, end);
    let sum = 0;
    for (let i = chunk; i < stop; i += ${step}) {
      ${body}
    }
    total += sum;
  }
  return total;
}`;

const coded = "words, scales, table, wordOffset, blockOffset, inverseBlock";

export const product4bit: Kernel = {
  name: "product4bit",
  source: source(
    coded,
    1,
    `const element = first + i * depthStride;${code4bit("element")}
      sum += x[row + i] * (table[code] * scales[${blockOf("element")}]);`,
  ),
};

/** Where rows and blocks start with a word and are not transposed: a word is taken apart once for its four codes, and has one scale. */
export const product4bitByWord: Kernel = {
  name: "product4bitByWord",
  source: source(
    coded,
    4,
    `const element = first + i * depthStride;
      const word = words[(element + wordOffset) * 0.25];
      const scale = scales[${blockOf("element")}];
      const high = Math.floor(word * 0.00390625);
      const low = word - 256 * high;
      const code0 = Math.floor(low * 0.0625);
      const code2 = Math.floor(high * 0.0625);
      sum += x[row + i] * (table[code0] * scale) + x[row + i + 1] * (table[low - 16 * code0] * scale) +
        x[row + i + 2] * (table[code2] * scale) + x[row + i + 3] * (table[high - 16 * code2] * scale);`,
  ),
};

export const productDense: Kernel = {
  name: "productDense",
  source: source("weight", 1, "sum += x[row + i] * weight[first + i * depthStride];"),
};
