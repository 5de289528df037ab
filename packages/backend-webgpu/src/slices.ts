/** Ranges of a tensor that is larger than what a kernel can see of it at once. */
import type { Storage } from "@halfbyte/core";
import type { Operand } from "./dispatch.js";

export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Splits `count` units, of which the widest tensor takes `widest` bytes each, so that no slice is wider than a piece. Each range starts at a
 * multiple of `alignment` units, at which every tensor's slice starts at a whole word, better at a multiple of 256 bytes. One range when all fits.
 */
export function ranges(count: number, widest: number, pieceBytes: number, alignment: number): Range[] {
  if (count * widest <= pieceBytes) return [{ from: 0, to: count }];
  const step = Math.floor(pieceBytes / widest / alignment) * alignment;
  if (step === 0) return [];
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => ({
    from: i * step,
    to: Math.min(count, (i + 1) * step),
  }));
}

/**
 * The same for rows of several tensors, of so many bytes each. Slices start at multiples of 256 bytes, which are bound where they lie, or at least
 * at whole words. None when a row is wider than a piece.
 */
export function rowRanges(rows: number, bytes: readonly number[], pieceBytes: number): Range[] {
  const widest = Math.max(...bytes);
  const alignmentTo = (unit: number) =>
    bytes.reduce((rows, each) => leastCommonMultiple(rows, unit / greatestCommonDivisor(unit, each)), 1);
  const aligned = ranges(rows, widest, pieceBytes, alignmentTo(256));
  return aligned.length > 0 ? aligned : ranges(rows, widest, pieceBytes, alignmentTo(4));
}

/**
 * Ranges of a tensor in blocks, each of whole blocks and 8 elements or a multiple: where a piece has room for it, of so many that the slices of
 * codes and of scales start at bindings.
 */
export function blockRanges(size: number, blockSize: number, widest: number, pieceBytes: number): Range[] {
  const block = Math.min(blockSize, size);
  const bound = ranges(size, widest, pieceBytes, leastCommonMultiple(64 * block, 512));
  return bound.length > 0 ? bound : ranges(size, widest, pieceBytes, leastCommonMultiple(block, 8));
}

/** Why a tensor in blocks cannot be worked on in slices. */
export function refuseBlocks(size: number, blockSize: number, widest: number, pieceBytes: number): string | undefined {
  if (size === 0 || blockRanges(size, blockSize, widest, pieceBytes).length > 0) return undefined;
  return `blocks of ${blockSize} elements do not fit the ${pieceBytes} bytes that are bound at once.`;
}

/** Elements of a range, of `bits` each. The whole tensor when it is all of it. */
export function sliceOf(storage: Storage, { from, to }: Range, bits: number): Operand {
  const slice = { storage, from: (from * bits) / 8, to: Math.ceil((to * bits) / 8) };
  return slice.from === 0 && slice.to >= storage.byteLength ? storage : slice;
}

export const leastCommonMultiple = (a: number, b: number): number => (a / greatestCommonDivisor(a, b)) * b;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
