/**
 * The second level of nested statistics. Its offset is a mean whose summation order is torch's own, so it is judged within
 * one ulp; everything after it is judged bit for bit from the vector's offset.
 */
import type { Scales } from "@halfbyte/core";
import { tolerance } from "../tolerance.js";
import { differenceInBits } from "./compare.js";
import { type Elements, float32, numbersOf, readElements } from "./elements.js";
import { invalidCase, type Trial, type Verdicts } from "./trial.js";

export interface NestedLevel {
  /** As the backend made them, from its own offset. */
  readonly scales: Scales;
  readonly blockSize: number;
}

export async function* nestedStatistics(trial: Trial, { scales, blockSize }: NestedLevel): Verdicts {
  if (scales.kind !== "nested") throw invalidCase("quantize({ nested: true }) gave scales that are not nested");
  const offset = float32(Float32Array.of(scales.offset));
  yield trial.ulps("offset", offset, tolerance.nestedOffset);
  yield trial.read("nested_code", scales.nestedCode);
  if (sameBits(offset, trial.expected("offset")) && scales.nestedBlockSize === blockSize)
    yield* ownLevel(trial, scales);
  yield* levelFromOffset(trial, blockSize);
  if (trial.wants("absmax_dequant")) yield* decodedLevel(trial, blockSize);
}

/** What `quantize()` itself stored, comparable where it found the vector's offset. */
async function* ownLevel(trial: Trial, scales: Scales & { kind: "nested" }): Verdicts {
  const { nestedBlockSize } = scales;
  const expected = await trial.vectorOr("absmax_u8", (reference) => levelCodes(reference, nestedBlockSize));
  yield trial.read("absmax_u8", scales.absmax, expected);
  yield trial.read("nested_absmax", scales.nestedAbsmax);
}

const sameBits = (a: Elements, b: Elements): boolean => differenceInBits(a, b) === undefined;

async function* levelFromOffset(trial: Trial, blockSize: number): Verdicts {
  const { codes, absmax } = quantizeLevel(trial, blockSize);
  const expected = await trial.vectorOr("absmax_u8", (reference) => levelCodes(reference, blockSize));
  yield trial.read("absmax_u8", codes, expected);
  yield trial.read("nested_absmax", absmax);
}

const levelCodes = (trial: Trial, blockSize: number): Promise<Elements> =>
  readElements(quantizeLevel(trial, blockSize).codes);

/** The 8-bit kernel on fr(absmax − offset), absmax and offset being the vector's. */
function quantizeLevel(trial: Trial, blockSize: number) {
  const offset = numbersOf(trial.expected("offset"))[0]!;
  const x = trial.float32(Float32Array.from(numbersOf(trial.expected("absmax")), (value) => value - offset));
  const code = trial.upload("float32", trial.expected("nested_code"));
  return trial.run("quantizeBlockwise", { x, code, blockSize, profile: trial.profile });
}

/** `absmax_dequant`, from the codes the profile expects: fr(fr(code · nested_absmax) + offset). */
async function* decodedLevel(trial: Trial, blockSize: number): Verdicts {
  const codes = await trial.vectorOr("absmax_u8", (reference) => levelCodes(reference, blockSize));
  const found = await decodeLevel(trial, codes, blockSize);
  const expected = await trial.vectorOr("absmax_dequant", (reference) => decodeLevel(reference, codes, blockSize));
  yield trial.bits("absmax_dequant", found, expected);
}

/** De-nests stored codes with the vector's nested_absmax, nested_code and offset. */
export async function decodeLevel(trial: Trial, codes: Elements, blockSize: number): Promise<Elements> {
  const args = {
    codes: trial.upload("uint8", { ...codes, shape: [codes.bytes.length] }),
    absmax: trial.upload("float32", trial.expected("nested_absmax")),
    code: trial.upload("float32", trial.expected("nested_code")),
    offset: numbersOf(trial.expected("offset"))[0]!,
    dtype: "float32",
    blockSize,
  } as const;
  return readElements(trial.run("dequantizeBlockwise", args).out);
}
