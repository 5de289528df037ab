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

interface Judged extends Shape {
  readonly dtype: Float;
  readonly accuracy: Accuracy;
  /** [m, k], or [m, n] when transposed. */
  readonly x: Float32Array;
  /** [n, k]. */
  readonly w: Float32Array;
  readonly bias?: Float32Array | undefined;
}

export function expectProduct(found: Float32Array, judged: Judged, what: string): void {
  const { m, n, k, transpose = false, dtype, accuracy, x, w, bias } = judged;
  const [columns, inner] = transpose ? [k, n] : [n, k];
  expect(found.length, what).toBe(m * columns);
  const c = factor(accuracy, inner);
  for (let row = 0; row < m; row++)
    for (let column = 0; column < columns; column++) {
      let [r, s] = [bias?.[column] ?? 0, 0];
      for (let i = 0; i < inner; i++) {
        const product = x[row * inner + i]! * w[transpose ? i * k + column : column * k + i]!;
        r += product;
        s += Math.abs(product);
      }
      const error = Math.abs(found[row * columns + column]! - r);
      if (!(error <= unitRoundoff[dtype] * Math.abs(r) + c * s))
        expect.fail(`${what}: [${row}, ${column}] is ${found[row * columns + column]}, not ${r} (${s}).`);
    }
}
