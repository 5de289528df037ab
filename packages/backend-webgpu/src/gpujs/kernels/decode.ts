/**
 * Decoding in a kernel: codes come as 16-bit words, which a float32 holds exactly, and are taken apart with floor and products by powers of two.
 * A word has two bytes, the first one low; a byte of 4-bit codes has its first element high. `first` is the first element's number in the tile; the
 * offsets say where the tile starts within its first word and its first block.
 */
import type { Kernel } from "./kernel.js";

/** 2⁴ᵗ for the four codes of a word in the order of elements, negative exponents: behind the 16 entries of a table. */
export const unshifts4bit = [2 ** -4, 1, 2 ** -12, 2 ** -8] as const;

/** The block is rounded down from a product that is half an element beyond its start, so no rounding error reaches the next one. */
export const blockOf = (element: string): string => `Math.floor((${element} + blockOffset + 0.5) * inverseBlock)`;

/** Statements that leave in `code` the 4-bit code of `element`. */
export const code4bit = (element: string): string => `
  const position = ${element} + wordOffset;
  const index = Math.floor(position * 0.25);
  const shifted = Math.floor(words[index] * table[16 + position - 4 * index]);
  const code = shifted - 16 * Math.floor(shifted * 0.0625);`;

export const decode4bit: Kernel = {
  name: "decode4bit",
  source: `function (words, scales, table, wordOffset, blockOffset, inverseBlock, first) {
  const element = first + this.thread.x;${code4bit("element")}
  return table[code] * scales[${blockOf("element")}];
}`,
};

export const decode8bit: Kernel = {
  name: "decode8bit",
  source: `function (words, scales, table, wordOffset, blockOffset, inverseBlock, first) {
  const element = first + this.thread.x;
  const position = element + wordOffset;
  const index = Math.floor(position * 0.5);
  const isHigh = position - 2 * index;
  const high = Math.floor(words[index] * 0.00390625);
  const code = isHigh * high + (1 - isHigh) * (words[index] - 256 * high);
  return table[code] * scales[${blockOf("element")}];
}`,
};
