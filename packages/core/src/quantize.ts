/** Whole-tensor quantization and its inverse: they choose the kernels of a format and handle nested statistics. */
import type { Backend } from "./backend.js";
import { halfbyteError, throwIfAborted } from "./errors.js";
import { nestedBlockSize } from "./formats/format.js";
import { getFormat } from "./formats/index.js";
import { int8Blockwise } from "./formats/int8-blockwise.js";
import type { NonFinite, Profile } from "./kernels.js";
import { logOnce } from "./logger.js";
import { expectRank } from "./operations/operation.js";
import { blockFormat, withBlockScales } from "./operations/quantize.js";
import { bitsOf, createQuantizedTensor, type QuantizedTensor, type Scales } from "./quantized-tensor.js";
import { referenceBackend } from "./reference/backend.js";
import type { Float, Tensor } from "./tensor.js";

export interface QuantizeOptions {
  readonly format: string;
  /** Default: the format's own, 64 for 4-bit formats. */
  readonly blockSize?: number;
  /** Quantize the block maxima too (double quantization): 4.127 instead of 4.5 bits per weight at block 64. */
  readonly nested?: boolean;
  readonly profile?: Profile;
  readonly nonFinite?: NonFinite;
  readonly signal?: AbortSignal;
}

/** Quantizes a whole tensor; nested statistics need the block maxima on the host, hence the promise. */
export async function quantize(x: Tensor<Float>, options: QuantizeOptions): Promise<QuantizedTensor> {
  throwIfAborted(options.signal, "quantize()");
  if (options.profile === "cpu" && x.backend.name !== "reference") return quantizeOnReference(x, options);
  const format = getFormat(options.format);
  if (format.scales === "row") return quantizeRows(x, options);
  const blockSize = options.blockSize ?? format.defaultBlockSize;
  blockFormat(format.name, format.bits, blockSize);
  const { codes, absmax } = quantizeBlocks(x, blockSize, options);
  const flat: QuantizedTensor = createQuantizedTensor({
    format: format.name,
    shape: x.shape,
    dtype: x.dtype,
    blockSize,
    codes,
    scales: { kind: "block", absmax },
  });
  return options.nested ? nestScales(flat, options) : flat;
}

/** Profile `cpu` copies a table lookup of one upstream kernel; only the reference kernels have it. */
async function quantizeOnReference(x: Tensor<Float>, options: QuantizeOptions): Promise<QuantizedTensor> {
  logOnce(
    "info",
    `profile "cpu" exists in the reference kernels only; quantizing there instead of on "${x.backend.name}".`,
  );
  using host = await x.to(referenceBackend());
  using quantized = await quantize(host, options);
  return await quantized.to(x.backend);
}

function quantizeBlocks(
  x: Tensor<Float>,
  blockSize: number,
  { format, profile = "reference", nonFinite = "error" }: QuantizeOptions,
) {
  const { kernels } = x.backend;
  const { bits, code } = getFormat(format);
  if (bits === 4) return kernels.quantize4bit({ x, format, blockSize, profile, nonFinite });
  using table = x.backend.tensor("float32", [256], code);
  const { codes, absmax } = kernels.quantizeBlockwise({ x, code: table, blockSize, profile, nonFinite });
  return { codes, absmax };
}

function quantizeRows(x: Tensor<Float>, { format, nonFinite = "error" }: QuantizeOptions): QuantizedTensor {
  expectRank("x", x.shape, 2, 2);
  const { q, rowStats, outlierColumns } = x.backend.kernels.int8VectorwiseQuant({ x, threshold: 0, nonFinite });
  outlierColumns.dispose();
  return createQuantizedTensor({
    format,
    shape: x.shape,
    dtype: x.dtype,
    blockSize: 0,
    codes: q,
    scales: { kind: "row", absmax: rowStats },
  });
}

/** Replaces f32 block scales by 8-bit codes of (absmax − mean); takes ownership of `flat`. */
async function nestScales(flat: QuantizedTensor, options: QuantizeOptions): Promise<QuantizedTensor> {
  using absmax = flat.scales.absmax as Tensor<"float32">;
  try {
    const scales = await nestedScales(
      await absmax.read(options.signal ? { signal: options.signal } : {}),
      flat.backend,
      options.profile ?? "reference",
    );
    return createQuantizedTensor({ ...flat, scales });
  } catch (thrown) {
    flat.dispose();
    throw thrown;
  }
}

/** The mean of the block maxima as f32: their float64 sum in index order, divided by their number. */
export function meanAbsmax(absmax: Float32Array): number {
  let sum = 0;
  for (const value of absmax) sum += value;
  return absmax.length === 0 ? 0 : Math.fround(sum / absmax.length);
}

/** Nested statistics of bitsandbytes: offset, then blockwise 8-bit with the signed dynamic map and block 256. */
export async function nestedScales(
  absmax: Float32Array,
  backend: Backend,
  profile: Profile,
  offset: number = meanAbsmax(absmax),
): Promise<Scales & { kind: "nested" }> {
  const host = referenceBackend();
  using centred = host.tensor(
    "float32",
    [absmax.length],
    absmax.map((value) => value - offset),
  );
  using code = host.tensor("float32", [256], int8Blockwise.code);
  const { codes, absmax: outer } = host.kernels.quantizeBlockwise({
    x: centred,
    code,
    blockSize: nestedBlockSize,
    profile,
    nonFinite: "propagate",
  });
  const [inner, nestedAbsmax, nestedCode] = await Promise.all([codes.to(backend), outer.to(backend), code.to(backend)]);
  codes.dispose();
  outer.dispose();
  return { kind: "nested", absmax: inner, nestedAbsmax, nestedCode, nestedBlockSize, offset };
}

/** Decodes a quantized tensor of any format; `dtype` defaults to the one it was made from. */
export function dequantize(weight: QuantizedTensor, { dtype = weight.dtype }: { dtype?: Float } = {}): Tensor<Float> {
  const { kernels } = weight.backend;
  if (bitsOf(weight) === 4) return kernels.dequantize4bit({ weight, dtype }).out;
  if (weight.scales.kind === "row") return dequantizeRows(weight, dtype);
  if (weight.scales.kind === "block") return dequantizeBlocks(weight, dtype);
  let out: Tensor<Float> | undefined;
  withBlockScales(kernels, weight, (flat) => {
    out = dequantizeBlocks(flat, dtype);
  });
  return out!;
}

function dequantizeBlocks(weight: QuantizedTensor, dtype: Float): Tensor<Float> {
  const code = weight.code ?? weight.backend.tensor("float32", [256], getFormat(weight.format).code);
  const { codes, scales, blockSize } = weight;
  const { out } = weight.backend.kernels.dequantizeBlockwise({
    codes: codes as Tensor<"uint8">,
    absmax: scales.absmax as Tensor<"float32">,
    code,
    blockSize,
    dtype,
  });
  if (!weight.code) code.dispose();
  using flat = out;
  return flat.reshape(weight.shape);
}

/** LLM.int8() rows decode to f32, as upstream; other dtypes are not rounded behind the caller's back. */
function dequantizeRows(weight: QuantizedTensor, dtype: Float): Tensor<Float> {
  if (dtype !== "float32")
    throw halfbyteError("DTYPE_MISMATCH", `${weight.format} decodes to float32 only.`, {
      remedy: 'Pass { dtype: "float32" } and round the result where you need it.',
      details: { found: dtype, expected: "float32" },
    });
  const { codes, scales } = weight;
  using flat = (codes as Tensor<"int8">).reshape(weight.shape);
  return weight.backend.kernels.int8VectorwiseDequant({ q: flat, rowStats: scales.absmax as Tensor<"float32"> }).out;
}
