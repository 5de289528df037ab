/**
 * What quantization did to single elements: how far they moved, in units of the weight's own RMS, and how often each code is used. From
 * the result as it was written, so that it tells of the file and not of the arithmetic in between.
 */
import { type HostWeight, throwIfAborted, weightDecoder } from "@halfbyte/core";

/** Errors from −limit to limit in equal bins; what lies beyond counts into the outermost. */
export const errorBins = { limit: 0.5, count: 2048 } as const;

export interface TensorFigures {
  /** Elements by error, `errorBins.count` of them. */
  readonly errors: Uint32Array;
  /** Elements by code, in code order; int8 codes from −128 on. */
  readonly codes: Uint32Array;
  /** How many elements were looked at for `errors`. */
  readonly sampled: number;
}

/** Original values of a weight, as float32, by their place in the file. */
export type ReadValues = (begin: number, end: number) => Promise<Float32Array>;

export interface Original {
  readonly read: ReadValues;
  /** Of the file: a Conv1D weight is quantized with its two dimensions exchanged. */
  readonly transpose: boolean;
}

/** Elements read at once: many small reads of a file take longer than the arithmetic. */
const run = 1 << 16;
/** Of larger tensors that many runs are looked at, evenly spread. */
const runsPerTensor = 16;

export async function tensorFigures(
  weight: HostWeight,
  original: Original,
  rms: number,
  signal: AbortSignal,
): Promise<TensorFigures> {
  const size = weight.shape.reduce((product, dimension) => product * dimension, 1);
  const errors = new Uint32Array(errorBins.count);
  const decoded = decodedAt(weight, original.transpose);
  let sampled = 0;
  for (const begin of runStarts(size)) {
    throwIfAborted(signal, "Measuring the errors");
    const values = await original.read(begin, Math.min(size, begin + run));
    countErrors(errors, decoded(begin, values.length), values, rms);
    sampled += values.length;
  }
  return { errors, codes: codeUse(weight), sampled };
}

/** Evenly over the tensor, all of it when it is small. */
function runStarts(size: number): number[] {
  const runs = Math.ceil(size / run);
  const looked = Math.min(runs, runsPerTensor);
  return Array.from({ length: looked }, (_, index) => run * Math.floor((index * runs) / looked));
}

/** Decoded values in the order of the original file. */
function decodedAt(weight: HostWeight, transpose: boolean): (begin: number, length: number) => Float32Array {
  const decode = weightDecoder(weight);
  const out = new Float32Array(run);
  const one = new Float32Array(1);
  const [columns, rows] = weight.shape as readonly [number, number];
  if (!transpose)
    return (begin, length) => {
      decode(begin, begin + length, out);
      return out;
    };
  return (begin, length) => {
    for (let i = 0; i < length; i++) {
      const place = ((begin + i) % columns) * rows + Math.floor((begin + i) / columns);
      decode(place, place + 1, one);
      out[i] = one[0]!;
    }
    return out;
  };
}

function countErrors(bins: Uint32Array, decoded: Float32Array, values: Float32Array, rms: number): void {
  const { limit, count } = errorBins;
  const scale = rms === 0 ? 0 : count / (2 * limit * rms);
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((decoded[i]! - values[i]!) * scale + count / 2);
    bins[bin < 0 ? 0 : bin >= count ? count - 1 : bin]!++;
  }
}

/** Codes of four bits stand two to a byte. */
function codeUse({ codes, code, shape }: HostWeight): Uint32Array {
  const uses = new Uint32Array(codes instanceof Int8Array ? 256 : code.length);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (codes instanceof Int8Array) for (const value of codes) uses[value + 128]!++;
  else if (code.length === 256) for (const value of codes) uses[value]!++;
  else for (let i = 0; i < size; i++) uses[i % 2 === 0 ? codes[i >> 1]! >> 4 : codes[i >> 1]! & 15]!++;
  return uses;
}
