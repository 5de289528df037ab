/** A small quantization whose result is known: what a library must compute before it is trusted with more. */
import { createRandom, getFormat, referenceBackend } from "@halfbyte/core";
import { dtypeNumbers, formatNumbers, profileNumbers } from "./abi.js";

const format = "nf4";
const blockSize = 64;
/** Two full blocks and a tail of odd length. */
const size = 2 * blockSize + 21;

/** What hb_quantize_4bit takes; plain arrays, to be sent to another process. */
export interface Question {
  readonly x: readonly number[];
  readonly code: readonly number[];
  readonly blockSize: number;
  readonly dtype: number;
  readonly format: number;
  readonly profile: number;
}

export interface Answer {
  readonly codes: readonly number[];
  readonly absmax: readonly number[];
}

export function question(): Question {
  const random = createRandom(4);
  const x = Float32Array.from({ length: size }, () => random.normal());
  return {
    x: [...x],
    code: [...getFormat(format).code],
    blockSize,
    dtype: dtypeNumbers.float32,
    format: formatNumbers[format],
    profile: profileNumbers.reference,
  };
}

/** By the reference kernels. */
export async function knownAnswer(): Promise<Answer> {
  const backend = referenceBackend();
  using x = backend.tensor("float32", [size], Float32Array.from(question().x));
  const made = backend.kernels.quantize4bit({ x, format, blockSize });
  using codes = made.codes;
  using absmax = made.absmax;
  return { codes: [...(await codes.read())], absmax: [...(await absmax.read())] };
}

export const isSameAnswer = (found: Answer | undefined, expected: Answer): boolean =>
  found !== undefined && isSame(found.codes, expected.codes) && isSame(found.absmax, expected.absmax);

const isSame = (found: readonly number[], expected: readonly number[]): boolean =>
  found.length === expected.length && found.every((value, i) => value === expected[i]);
