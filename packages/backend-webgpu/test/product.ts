/** Matrix products against float64, within the contract's bounds. */
import {
  type Accuracy,
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { expect } from "vitest";

export interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transpose?: boolean;
}

export function normals(size: number, seed: number): Float32Array {
  const { normal } = createRandom(seed);
  return Float32Array.from({ length: size }, () => normal());
}

/** As the dtype has them. */
export const rounded = (dtype: Float, values: Float32Array): Float32Array =>
  toFloat32(dtype, fromFloat32(dtype, values));

export const floats = (backend: Backend, dtype: Float, shape: readonly number[], values: Float32Array): Tensor<Float> =>
  backend.tensor(dtype, shape, fromFloat32(dtype, values));

const unitRoundoff: Readonly<Record<Float, number>> = { float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 };

/** c of |y − r| <= u·|r| + c·S. */
function factor(accuracy: Accuracy, inner: number): number {
  if (accuracy === "exact") return 4 * Math.sqrt(inner) * 2 ** -24;
  return accuracy === "fast" ? 2 ** -13 : 2 ** -6;
}

export interface Operands extends Shape {
  /** [m, k], or [m, n] when transposed. */
  readonly x: Float32Array;
  /** [n, k]. */
  readonly w: Float32Array;
  readonly bias?: Float32Array | undefined;
}

/** The product, and for each of its elements how far a result may be from it. */
export interface Expected {
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

export function productOf(
  { m, n, k, transpose = false, x, w, bias }: Operands,
  dtype: Float,
  accuracy: Accuracy,
): Expected {
  const [columns, inner] = transpose ? [k, n] : [n, k];
  const [values, bounds] = [new Float64Array(m * columns), new Float64Array(m * columns)];
  const c = factor(accuracy, inner);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let [r, s] = [bias?.[column] ?? 0, 0];
    for (let j = 0; j < inner; j++) {
      const product = x[row * inner + j]! * w[transpose ? j * k + column : column * k + j]!;
      r += product;
      s += Math.abs(product);
    }
    values[i] = r;
    bounds[i] = unitRoundoff[dtype] * Math.abs(r) + c * s;
  }
  return { values, bounds };
}

export function expectProduct(found: Float32Array, { values, bounds }: Expected, what: string): void {
  expect(found.length, what).toBe(values.length);
  const i = found.findIndex((value, at) => !(Math.abs(value - values[at]!) <= bounds[at]!));
  if (i >= 0) expect.fail(`${what}: element ${i} is ${found[i]}, not ${values[i]} ± ${bounds[i]}.`);
}
