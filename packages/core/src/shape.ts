/** Shapes: lists of non-negative integers, row-major. */
import { halfbyteError } from "./errors.js";
import type { Shape } from "./tensor.js";

/** The number of elements. Throws INVALID_SHAPE for anything that is not a shape. */
export function sizeOf(shape: Shape): number {
  if (!Array.isArray(shape)) throw invalid(shape, "is not an array");
  let size = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0)
      throw invalid(shape, "has a dimension that is not a non-negative integer");
    size *= dimension;
  }
  if (!Number.isSafeInteger(size)) throw invalid(shape, "has more than 2^53 - 1 elements");
  return size;
}

function invalid(shape: unknown, why: string): Error {
  const text = showShape(shape);
  return halfbyteError("INVALID_SHAPE", `The shape ${text} ${why}.`, { details: { shape: text } });
}

export const showShape = (shape: unknown): string => (Array.isArray(shape) ? `[${shape.join(", ")}]` : String(shape));

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dimension, i) => dimension === b[i]);

/** The product of all dimensions but the last: the rows of a matrix product's left side. */
export const rowsOf = (shape: Shape): number =>
  shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);

export const lastOf = (shape: Shape): number => shape[shape.length - 1] ?? 1;
