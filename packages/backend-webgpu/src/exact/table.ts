/** A format's table as WGSL constants: what the decisions of decision4bit.wgsl are made from. */
import { type Format, thresholdsOf } from "@halfbyte/core";

const hexadecimal = (word: number): string => `0x${word.toString(16).padStart(8, "0")}u`;

const constantArray = (name: string, words: readonly number[]): string =>
  `const ${name} = array<u32, ${words.length}>(${words.map(hexadecimal).join(", ")});\n`;

/** `bounds`, the midpoints as bit patterns in ascending order, and `order`, the code of every rank. */
export function tableWgsl(format: Pick<Format, "code">): string {
  const { bounds, order } = thresholdsOf(format.code);
  const patterns = new Uint32Array(bounds.buffer, bounds.byteOffset, bounds.length);
  return constantArray("bounds", [...patterns]) + constantArray("order", [...order]);
}
