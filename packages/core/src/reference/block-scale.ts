/**
 * Block by block: the largest magnitude, and the values divided by it. The profiles differ in how the division is done and
 * what a zero or partial block stores (contract: profiles; bitsandbytes backends/default/ops.py, csrc/kernels.cu).
 */
import { widen } from "../dtype.js";
import type { NonFinite, Profile } from "../kernels.js";
import type { ArrayOf, Float } from "../tensor.js";
import { clampUnit, smallestScale } from "./float32.js";

const fr = Math.fround;

/** The largest |value|. NaN wins, as in torch.max, unless `skipNaN`, as fmaxf does on CUDA. */
export function absmaxOf(values: Float32Array, count: number, skipNaN: boolean): number {
  let largest = 0;
  let finite = 0;
  for (let i = 0; i < count; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > largest) largest = magnitude;
    finite += magnitude * 0;
  }
  const hasNaN = Number.isNaN(finite) && values.subarray(0, count).some(Number.isNaN);
  return hasNaN && !skipNaN ? Number.NaN : largest;
}

/** How a block is scaled: multiply by the rounded reciprocal, or divide (the partial last block of a 4-bit tensor). */
export interface Scaling {
  readonly profile: Profile;
  /** Full blocks multiply; a partial one divides and stores an absmax raised to 1e-38. */
  readonly dividesTail: boolean;
}

/** Scales one block in place; returns the absmax to store. */
export function scaleBlock(
  values: Float32Array,
  count: number,
  isTail: boolean,
  { profile, dividesTail }: Scaling,
): number {
  const absmax = absmaxOf(values, count, profile === "cuda");
  if (profile !== "cuda" && isTail && dividesTail) return divide(values, count, atLeastSmallest(absmax));
  // Upstream's 8-bit CPU kernel and its CUDA kernels put no floor under absmax: 1/absmax may be infinite there.
  const hasFloor = profile === "reference" || (profile === "cpu" && dividesTail);
  multiply(values, count, fr(1 / (hasFloor ? atLeastSmallest(absmax) : absmax)));
  return absmax;
}

const atLeastSmallest = (absmax: number): number => (absmax < smallestScale ? smallestScale : absmax);

function multiply(values: Float32Array, count: number, reciprocal: number): void {
  for (let i = 0; i < count; i++) values[i] = clampUnit(fr(values[i]! * reciprocal));
}

function divide(values: Float32Array, count: number, absmax: number): number {
  for (let i = 0; i < count; i++) values[i] = clampUnit(fr(values[i]! / absmax));
  return absmax;
}

/** Blocks of a tensor, widened one at a time into a reused buffer, with a lookout for NaN and Infinity. */
export class BlockReader {
  readonly values: Float32Array;
  /** Lowest flat index of a value that is not finite, or −1. */
  firstNonFinite = -1;

  constructor(
    readonly data: ArrayOf[Float],
    readonly dtype: Float,
    readonly blockSize: number,
    readonly nonFinite: NonFinite,
  ) {
    this.values = new Float32Array(blockSize);
  }

  /** Loads block `block`; returns its element count. */
  load(block: number): number {
    const begin = block * this.blockSize;
    const end = Math.min(begin + this.blockSize, this.data.length);
    widen(this.dtype, this.data, begin, end, this.values);
    if (this.nonFinite === "error" && this.firstNonFinite < 0) this.#look(begin, end - begin);
    return end - begin;
  }

  #look(begin: number, count: number): void {
    let finite = 0;
    for (let i = 0; i < count; i++) finite += this.values[i]! * 0;
    if (finite !== 0) this.firstNonFinite = begin + this.values.findIndex((value) => !Number.isFinite(value));
  }
}
