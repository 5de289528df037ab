/**
 * A kernel is source text: gpu.js translates the text of a function to GLSL, and a minifier would change the text of a real one. It computes one
 * number for each thread. All its numbers are float32, so an index is exact below 2²⁴; nothing here divides, because GLSL may err in a quotient.
 */
export interface Kernel {
  readonly name: string;
  readonly source: string;
}

/** What a kernel is called with: values on the device, and numbers. */
export type Argument = Resident | number;

/** Values in a form that kernels take; `value` belongs to gpu.js. */
export interface Resident {
  readonly value: unknown;
  readonly byteLength: number;
  release(): void;
}

/** Elements of a weight, or rows of x, that one kernel reaches: with block and word offsets added an index stays below 2²². */
export const tileElements = 2 ** 20;
