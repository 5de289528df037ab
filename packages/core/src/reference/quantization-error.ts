/** How far decoded values are from the original ones: the rows of `errorSums`. */
import { errorSums } from "../kernels.js";
import type { Decode } from "./dequantize.js";

const fr = Math.fround;

/** Measures segments [begin, end) of two decoded tensors of `size` elements. */
export function segmentMeter(size: number, x: Decode, y: Decode, sums: Float32Array) {
  const { segment, columns } = errorSums;
  const [original, decoded] = [new Float32Array(segment), new Float32Array(segment)];
  const measure = (row: number) => {
    const [begin, end] = [row * segment, Math.min(size, (row + 1) * segment)];
    x(begin, end, original);
    y(begin, end, decoded);
    sums.set(figuresOf(original, decoded, end - begin), row * columns.length);
  };
  return (begin: number, end: number): void => {
    for (let row = begin; row < end; row++) measure(row);
  };
}

/** One row. Differences are f32; sums are float64 until they are stored. */
function figuresOf(x: Float32Array, y: Float32Array, count: number): readonly number[] {
  const scale = scaleOf(Math.max(largestOf(x, count), largestOf(y, count)));
  let [maxAbs, noise, signal, energy, product] = [0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const a = fr(x[i]! / scale);
    const b = fr(y[i]! / scale);
    const difference = fr(a - b);
    maxAbs = Math.max(maxAbs, Math.abs(difference));
    noise += difference * difference;
    signal += a * a;
    energy += b * b;
    product += a * b;
  }
  return [scale, maxAbs, noise, signal, energy, product];
}

/** NaN where there is one. */
function largestOf(values: Float32Array, count: number): number {
  let largest = 0;
  for (let i = 0; i < count; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}

const [smallestScale, largestScale] = [2 ** -126, 2 ** 126];
const exponentBits = 0x7f800000;
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The power of two, within its limits; NaN makes every figure NaN. */
function scaleOf(largest: number): number {
  if (!Number.isFinite(largest)) return Number.NaN;
  float[0] = largest;
  bits[0]! &= exponentBits;
  return Math.min(largestScale, Math.max(smallestScale, float[0]));
}
