/** gpu.js: a float32 product in the mode that it chooses. */
import type { PeerRun } from "../case.js";
import { timed } from "../measure/subject.js";
import { productError } from "../product.js";
import type { DenseProduct } from "./peer-set.js";

/** What is used of gpu.js, whose own types know `input` as a type only. */
export interface GpuJs {
  readonly GPU: new () => { createKernel(source: string): GpuKernel; destroy(): Promise<void> };
  /** A typed array as an argument, with its extents from the innermost on. */
  input(values: Float32Array, extents: readonly number[]): object;
}
interface GpuKernel {
  (x: object, weight: object, k: number): Float32Array[];
  setOutput(extents: readonly number[]): GpuKernel;
  setLoopMaxIterations(count: number): GpuKernel;
}

export async function gpuJsRun({ GPU, input }: GpuJs, { shape, x, weight }: DenseProduct): Promise<PeerRun> {
  const { m, n, k } = shape;
  const gpu = new GPU();
  const kernel = gpu
    .createKernel(gpuProduct)
    .setOutput([n, m])
    .setLoopMaxIterations(2 ** 24);
  const [left, right] = [input(x, [k, m]), input(weight, [k, n])];
  const y = kernel(left, right, k).flatMap((row) => [...row]);
  const relativeError = productError(y, x, shape, (row) => weight.subarray(row * k, (row + 1) * k));
  return { subject: timed(() => void kernel(left, right, k)), relativeError, dispose: () => void gpu.destroy() };
}

/** gpu.js compiles source text. */
const gpuProduct = `function (x, weight, k) {
  let sum = 0;
  for (let i = 0; i < k; i++) {
    sum += x[this.thread.y][i] * weight[this.thread.x][i];
  }
  return sum;
}`;
