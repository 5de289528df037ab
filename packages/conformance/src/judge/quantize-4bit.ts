/** quantize_4bit and dequantize_4bit: packed codes, block maxima, nested statistics, and decoding. */
import { type Float, type QuantizedTensor, quantize, type Shape } from "@halfbyte/core";
import { isFloatType, readElements, type Stored } from "./elements.js";
import { type NestedLevel, nestedStatistics } from "./nested-statistics.js";
import { invalidCase, type Trial, type Verdicts } from "./trial.js";

/** Block size of the second level of nested 4-bit statistics; upstream has no other. */
const nestedBlockSize = 256;

export async function* quantize4bit(trial: Trial): Verdicts {
  const [format, blockSize, profile] = [trial.text("quant_type"), trial.number("blocksize"), trial.profile];
  const { codes, absmax } = trial.run("quantize4bit", { x: trial.float("A"), format, blockSize, profile });
  for (const output of ["packed", "packed_as_u8"].filter((name) => trial.wants(name))) yield trial.read(output, codes);
  if (trial.wants("absmax")) yield trial.read("absmax", absmax);
  if (trial.wants("offset")) yield* nestedStatistics(trial, await quantizedNested(trial));
  if (trial.wants("dequant")) yield* decodedVector(trial);
}

/** The second level as `quantize()` makes it. */
async function quantizedNested(trial: Trial): Promise<NestedLevel> {
  const [format, blockSize, profile] = [trial.text("quant_type"), trial.number("blocksize"), trial.profile];
  const weight = trial.own(await quantize(trial.float("A"), { format, blockSize, nested: true, profile }));
  return { scales: weight.scales, blockSize: nestedBlockSize };
}

/** `dequant`: the vector's own codes and scales, decoded. */
async function* decodedVector(trial: Trial): Verdicts {
  const { dtype, shape } = trial.expected("dequant");
  if (!isFloatType(dtype)) throw invalidCase(`dequant is ${dtype}`);
  const packed = trial.expected(trial.wants("packed") ? "packed" : "packed_as_u8");
  const weight = trial.wants("absmax_u8")
    ? nestedWeight(trial, { packed, shape, dtype }, (name) => trial.expected(name))
    : blockWeight(trial, { packed, shape, dtype, absmax: trial.expected("absmax") });
  yield trial.read("dequant", trial.run("dequantize4bit", { weight, dtype }).out);
}

export async function* dequantize4bit(trial: Trial): Verdicts {
  const { dtype, shape } = trial.expected("dequant");
  if (!isFloatType(dtype)) throw invalidCase(`dequant is ${dtype}`);
  const weight = blockWeight(trial, { packed: trial.input("packed"), absmax: trial.input("absmax"), shape, dtype });
  yield trial.read("dequant", trial.run("dequantize4bit", { weight, dtype }).out);
}

interface StoredWeight {
  readonly packed: Stored;
  readonly shape: Shape;
  readonly dtype: Float;
}

/** A weight of the case's quant_type and blocksize with one absmax per block. */
export function blockWeight(trial: Trial, stored: StoredWeight & { absmax: Stored }): QuantizedTensor {
  const { packed, absmax, shape, dtype } = stored;
  return trial.weight({
    format: trial.text("quant_type"),
    blockSize: trial.number("blocksize"),
    shape,
    dtype,
    codes: trial.upload("uint8", packed, [packed.bytes.length]),
    scales: { kind: "block", absmax: trial.upload("float32", absmax) },
  });
}

/** The same with nested statistics; `part` finds absmax_u8, nested_absmax, nested_code and offset. */
export function nestedWeight(trial: Trial, stored: StoredWeight, part: (name: string) => Stored): QuantizedTensor {
  const { packed, shape, dtype } = stored;
  return trial.weight({
    format: trial.text("quant_type"),
    blockSize: trial.number("blocksize"),
    shape,
    dtype,
    codes: trial.upload("uint8", packed, [packed.bytes.length]),
    scales: {
      kind: "nested",
      absmax: trial.upload("uint8", part("absmax_u8")),
      nestedAbsmax: trial.upload("float32", part("nested_absmax")),
      nestedCode: trial.upload("float32", part("nested_code")),
      nestedBlockSize,
      offset: new DataView(part("offset").bytes.slice().buffer).getFloat32(0, true),
    },
  });
}

/** The block maxima of a weight as decoding sees them: nested ones de-nested, fr(fr(code · nestedAbsmax) + offset). */
export async function decodedAbsmax(trial: Trial, { scales }: QuantizedTensor) {
  if (scales.kind !== "nested") return readElements(scales.absmax);
  const { absmax, nestedAbsmax, nestedCode, nestedBlockSize: blockSize, offset } = scales;
  const args = { codes: absmax, absmax: nestedAbsmax, code: nestedCode, blockSize, offset, dtype: "float32" } as const;
  return readElements(trial.run("dequantizeBlockwise", args).out);
}
