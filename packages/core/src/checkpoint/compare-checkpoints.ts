/** Two checkpoints side by side: which tensors are equal to the byte, and how far apart the others are after decoding. */
import { bytesOf, viewAs, widen } from "../dtype.js";
import { throwIfAborted } from "../errors.js";
import { blockCount } from "../formats/format.js";
import { errorSums } from "../kernels.js";
import type { Decode } from "../reference/dequantize.js";
import { segmentMeter } from "../reference/quantization-error.js";
import { sameShape, sizeOf } from "../shape.js";
import type { Float } from "../tensor.js";
import { weightDecoder } from "./host-weight.js";
import { backendDtypes, type Checkpoint } from "./open-checkpoint.js";
import { summarized, type WeightError } from "./weight-error.js";
import { elementsPerTurn, inSlices } from "./weight-source.js";

export interface TensorComparison {
  readonly name: string;
  /** `close` tensors differ in dtype, format or values and have an `error`; b is measured against a. */
  readonly status: "identical" | "close" | "different" | "only-a" | "only-b";
  /** What each side holds, such as `BF16 [64, 128]` or `nf4 [64, 128]`. */
  readonly a?: string;
  readonly b?: string;
  readonly error?: WeightError;
}

/** Compares tensor by tensor; side tensors belong to their weight. */
export async function* compareCheckpoints(
  a: Checkpoint,
  b: Checkpoint,
  signal?: AbortSignal,
): AsyncGenerator<TensorComparison> {
  const [left, right] = [logicalNames(a), logicalNames(b)];
  for (const name of new Set([...left, ...right])) {
    throwIfAborted(signal, "compareCheckpoints()");
    if (!right.has(name)) yield { name, status: "only-a", a: (await open(a, name)).label };
    else if (!left.has(name)) yield { name, status: "only-b", b: (await open(b, name)).label };
    else yield await compareTensor(name, await open(a, name, signal), await open(b, name, signal), signal);
  }
}

/** Stored tensors without the side tensors of quantized weights. */
export function logicalNames(checkpoint: Checkpoint): Set<string> {
  const weights = new Set(checkpoint.quantizedNames());
  const owner = (name: string) =>
    name.replace(/\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__[^.]+)$/, "");
  const isSide = (name: string) =>
    (owner(name) !== name && weights.has(owner(name))) ||
    (/(^|\.)(SCB|weight_format)$/.test(name) && weights.has(name.replace(/(SCB|weight_format)$/, "weight")));
  return new Set(checkpoint.names().filter((name) => !isSide(name)));
}

interface Side {
  readonly label: string;
  readonly shape: readonly number[];
  /** Everything that is stored of it. */
  readonly bytes: readonly Uint8Array[];
  /** Absent for dtypes that have no float reading. */
  readonly decode?: Decode;
}

async function open(checkpoint: Checkpoint, name: string, signal?: AbortSignal): Promise<Side> {
  const options = signal ? { signal } : {};
  if (checkpoint.quantizedNames().includes(name)) {
    const host = await checkpoint.hostWeight(name, options);
    const { codes, scales, shape } = host;
    const nested =
      scales.kind === "nested" ? [bytesOf(scales.nestedAbsmax), bytesOf(Float64Array.of(scales.offset))] : [];
    const label = `${host.format} [${shape.join(", ")}]`;
    return {
      label,
      shape,
      bytes: [bytesOf(codes), bytesOf(host.code), bytesOf(scales.absmax), ...nested],
      decode: weightDecoder(host),
    };
  }
  const { dtype, shape } = checkpoint.entry(name);
  const bytes = await checkpoint.read(name, options);
  const side = { label: `${dtype} [${shape.join(", ")}]`, shape, bytes: [bytes] };
  const float = backendDtypes[dtype];
  if (float !== "float32" && float !== "float16" && float !== "bfloat16") return side;
  return { ...side, decode: floatDecoder(float, bytes) };
}

function floatDecoder(dtype: Float, bytes: Uint8Array): Decode {
  const values = viewAs(dtype, bytes);
  return (begin, end, out) => widen(dtype, values, begin, end, out);
}

async function compareTensor(
  name: string,
  a: Side,
  b: Side,
  signal: AbortSignal | undefined,
): Promise<TensorComparison> {
  const labels = { name, a: a.label, b: b.label };
  if (
    a.label === b.label &&
    a.bytes.length === b.bytes.length &&
    a.bytes.every((bytes, i) => sameBytes(bytes, b.bytes[i]!))
  )
    return { ...labels, status: "identical" };
  if (!sameShape(a.shape, b.shape) || !a.decode || !b.decode) return { ...labels, status: "different" };
  return { ...labels, status: "close", error: await distance(a.decode, b.decode, a.shape, signal) };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

async function distance(
  a: Decode,
  b: Decode,
  shape: readonly number[],
  signal: AbortSignal | undefined,
): Promise<WeightError> {
  const { segment, columns } = errorSums;
  const size = sizeOf(shape);
  const segments = blockCount(size, segment);
  const sums = new Float32Array(segments * columns.length);
  const measure = segmentMeter(size, a, b, sums);
  const measureUnlessAborted = (begin: number, end: number) => {
    throwIfAborted(signal, "compareCheckpoints()");
    measure(begin, end);
  };
  await inSlices(segments, measureUnlessAborted, elementsPerTurn / segment);
  return summarized(sums, size);
}
