/**
 * 4-bit matmul: matmul_4bit, the packed CPU kernel, and Linear4bit. Results are judged against the float64 product with
 * unrounded weights; vectors that round the weight to the activation dtype first get u·S on top.
 */
import {
  type Float,
  fromFloat32,
  getFormat,
  type QuantizedTensor,
  quantize,
  type Shape,
  type Tensor,
} from "@halfbyte/core";
import { defaultAccuracy, matmulBound, tolerance, unitRoundoff } from "../tolerance.js";
import { type Elements, elementsOf, isFloatType, numbersOf, readElements, type Stored } from "./elements.js";
import { decode4bit, type Product, productOf } from "./float64.js";
import { blockWeight, decodedAbsmax, nestedWeight } from "./quantize-4bit.js";
import { invalidCase, type Trial, type Verdicts } from "./trial.js";

export async function* matmul4bit(trial: Trial): Verdicts {
  const { y, product, dtype } = await multiplied(trial);
  yield* againstProduct(trial, y, product, { dtype, outputs: ["out", "gemv", "ref_f64"] });
}

/** Upstream's eval kernel: its repacked operands are its own layout and not judged. */
export async function* gemv4bitPacked(trial: Trial): Verdicts {
  const { y, product, dtype } = await multiplied(trial);
  yield* againstProduct(trial, y, product, { dtype, outputs: ["ref_f64"] });
  const bound = (i: number) => tolerance.packedKernel.factor * product.s[i]!;
  if (trial.wants("out")) yield trial.within("out", y, numbersOf(trial.expected("out")), bound);
}

/** y = gemm4bit(A, the vector's weight, bias), and the product it is held to. */
async function multiplied(trial: Trial) {
  const [x, k] = [trial.float("A"), trial.number("K")];
  const bias = trial.has("bias") ? trial.float("bias") : undefined;
  const weight = vectorWeight(trial, x.dtype, [trial.number("N"), k]);
  const { out } = trial.run("gemm4bit", bias ? { x, weight, bias } : { x, weight });
  const biasNumbers = bias ? numbersOf(trial.input("bias")) : undefined;
  const w = decodedWeight(trial, trial.input("packed").bytes, numbersOf(trial.input("absmax")), weight.shape);
  const product = productOf(numbersOf(trial.input("A")), w, k, biasNumbers);
  return { y: numbersOf(await readElements(out)), product, dtype: x.dtype };
}

/** Nested where the vector is nested, so that the kernel's own nested decode is judged. */
function vectorWeight(trial: Trial, dtype: Float, shape: readonly number[]): QuantizedTensor {
  const packed = trial.input("packed");
  if (!trial.has("absmax_u8")) return blockWeight(trial, { packed, absmax: trial.input("absmax"), shape, dtype });
  return nestedWeight(trial, { packed, shape, dtype }, (name) => trial.input(name));
}

function decodedWeight(trial: Trial, packed: Uint8Array, absmax: Float64Array, [n = 1, k = 1]: Shape): Float64Array {
  const { code } = getFormat(trial.text("quant_type"));
  return decode4bit({ packed, absmax, code, blockSize: trial.number("blocksize"), size: n * k });
}

interface Judged {
  /** Dtype the product is computed in. */
  readonly dtype: Float;
  /** Dtype of the result where it is another: one more rounding. */
  readonly outDtype?: Float;
  /** The multiplied weight was rounded to `dtype` first: u·S more against r as well. */
  readonly roundedWeight?: boolean;
  readonly outputs: readonly string[];
}

/**
 * |y − r| <= u·|r| + c·S, and every output in the vector the same with u·S added.
 */
export async function* againstProduct(trial: Trial, y: Float64Array, { r, s, k }: Product, judged: Judged): Verdicts {
  const { dtype, outDtype = dtype, roundedWeight = false } = judged;
  const bound = matmulBound(dtype, defaultAccuracy(dtype), k);
  const cast = outDtype === dtype ? 0 : unitRoundoff[outDtype];
  const fromSame = (i: number) => bound(r[i]!, s[i]!) + cast * Math.abs(r[i]!);
  const fromRounded = (i: number) => fromSame(i) + unitRoundoff[dtype] * s[i]!;
  for (const output of judged.outputs.filter((name) => trial.wants(name))) {
    yield trial.within(output, y, r, roundedWeight ? fromRounded : fromSame);
    yield trial.within(output, y, numbersOf(trial.expected(output)), fromRounded);
  }
}

export async function* linear4bitForward(trial: Trial): Verdicts {
  const quantized = await quantizedLayer(trial);
  yield trial.read("packed", quantized.codes);
  yield* layerAbsmax(trial, quantized);
  const { y, product, compute, dtype } = await forwarded(trial);
  yield* againstProduct(trial, y, product, { dtype: compute, outDtype: dtype, outputs: ["out_train", "ref_f64"] });
  const evalBound = (i: number) => tolerance.packedLinear.factor * product.s[i]!;
  if (trial.wants("out_eval")) yield trial.within("out_eval", y, numbersOf(trial.expected("out_eval")), evalBound);
}

async function quantizedLayer(trial: Trial): Promise<QuantizedTensor> {
  const [format, blockSize, profile] = [trial.text("quant_type"), trial.number("blocksize"), trial.profile];
  const nested = isNested(trial);
  return trial.own(await quantize(trial.float("W"), { format, blockSize, nested, profile }));
}

const isNested = (trial: Trial): boolean => trial.record.params["compress_statistics"] === true;

/** The vector holds de-nested maxima; nested ones follow upstream's offset, or the reference kernels' where the rules differ. */
async function* layerAbsmax(trial: Trial, weight: QuantizedTensor): Verdicts {
  const found = await decodedAbsmax(trial, weight);
  if (!isNested(trial)) return yield trial.bits("absmax", found);
  const expected = await trial.vectorOr("absmax", async (reference) =>
    decodedAbsmax(reference, await quantizedLayer(reference)),
  );
  yield trial.close("absmax", found, tolerance.linear4bitNestedAbsmax, expected);
}

/** x and bias are cast to the compute dtype, the result back to the dtype of x. */
async function forwarded(trial: Trial) {
  const [k, n, input] = [trial.number("in_features"), trial.number("out_features"), trial.input("x")];
  if (!isFloatType(input.dtype)) throw invalidCase(`x is ${input.dtype}`);
  const compute = computeDtype(trial, input.dtype);
  const [x, bias] = [cast(input, compute), trial.has("bias") ? cast(trial.input("bias"), compute) : undefined];
  const [packed, absmax] = [trial.expected("packed"), trial.expected("absmax")];
  const weight = blockWeight(trial, { packed, absmax, shape: [n, k], dtype: compute });
  const args = { x: trial.uploadFloat(x), weight };
  const { out } = trial.run("gemm4bit", bias ? { ...args, bias: trial.uploadFloat(bias) } : args);
  const w = decodedWeight(trial, packed.bytes, numbersOf(absmax), weight.shape);
  const product = productOf(numbersOf(x), w, k, bias ? numbersOf(bias) : undefined);
  return { y: numbersOf(await castTensor(out, input.dtype)), product, compute, dtype: input.dtype };
}

/** Unset adopts the dtype of x. */
function computeDtype(trial: Trial, dtype: Float): Float {
  const named = trial.record.params["compute_dtype"];
  if (named === null || named === undefined) return dtype;
  if (named === "float32" || named === "float16" || named === "bfloat16") return named;
  throw invalidCase(`compute_dtype is ${String(named)}`);
}

/** Stored floats rounded to another dtype on the host. */
export function cast(stored: Stored, dtype: Float): Stored {
  if (stored.dtype === dtype) return stored;
  const values = fromFloat32(dtype, Float32Array.from(numbersOf(stored)));
  return { ...elementsOf(dtype, values), shape: stored.shape };
}

async function castTensor(tensor: Tensor<Float>, dtype: Float): Promise<Elements> {
  return cast({ ...(await readElements(tensor)), shape: tensor.shape }, dtype);
}
