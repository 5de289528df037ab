/** One run of a kernel: its text and constants, and what is bound to it. */
import type { Storage } from "@halfbyte/core";

/** Some bytes of a tensor: where they start and end, in whole words. */
export interface Slice {
  readonly storage: Storage;
  readonly from: number;
  readonly to: number;
}

/** A whole tensor, or a part of one that is larger than what a kernel can see at once. */
export type Operand = Storage | Slice;

export const isSlice = (operand: Operand): operand is Slice => "storage" in operand;

export const bytesIn = (operand: Operand): number =>
  isSlice(operand) ? operand.to - operand.from : operand.byteLength;

export interface Dispatch {
  /** Stem of the WGSL file. */
  readonly kernel: string;
  readonly text: string;
  /** Values of the text's `override` constants. */
  readonly constants: { readonly [name: string]: number };
  /** The words of binding 0, a uniform; at most 64. */
  readonly params: Uint32Array;
  /** Bindings 1 and on, `var<storage, read>`. */
  readonly reads: readonly Operand[];
  /** The bindings after those, `var<storage, read_write>`. At most 8 of both: that is what every device has. */
  readonly writes: readonly Operand[];
  /** Numbered by `group.y * groups.x + group.x`; there may be a few more, which have nothing to do. */
  readonly workgroups: number;
}

/** WebGPU counts workgroups in 16 bits a dimension; kernels number them row by row. */
export function grid(workgroups: number): readonly [number, number] {
  const columns = Math.min(workgroups, 65_535);
  return [columns, Math.ceil(workgroups / columns)];
}

/** Mixed words of a uniform: integers as they are, floats through `float`. */
export function params(...words: readonly number[]): Uint32Array {
  return Uint32Array.from(words);
}

const bits = new DataView(new ArrayBuffer(4));

/** The bit pattern of a number rounded to float32. */
export function float(value: number): number {
  bits.setFloat32(0, value);
  return bits.getUint32(0);
}
