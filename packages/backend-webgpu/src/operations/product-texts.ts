/** What both products print and count in the same way. */
import type { ProductKernel, ProductSize } from "./product.js";

/** Up to as many rows of x, weights are decoded by the lanes that use them. */
export const narrowLimit = 8;

/** A kernel's text for each number of rows, printed once. The first one now: what is printed later does not tell one build from another. */
export function memoized(print: (rows: number) => string): (rows: number) => string {
  const texts = new Map([[1, print(1)]]);
  return (rows) => {
    const known = texts.get(rows) ?? print(rows);
    texts.set(rows, known);
    return known;
  };
}

/** For how many rows of x a kernel is printed that works on so many: few texts to compile, and each of them tested. */
export const printedRows = (rows: number): number => Math.min(2 ** Math.ceil(Math.log2(rows)), narrowLimit);

export const rowsText = (rows: number): string => `const ROWS = ${rows}u;`;

/** Workgroups that make a tile each. */
export const tiles =
  (height: number, width: number) =>
  ({ rows, columns }: ProductSize): number =>
    Math.ceil(rows / height) * Math.ceil(columns / width);

/** gemm_any.wgsl, in tiles of 8 rows where there are no more. */
export function anyTile({ rows }: ProductSize, transpose = false, text: (rows: number) => string): ProductKernel {
  const each = rows <= 8 ? 1 : 4;
  return {
    kernel: "gemm_any",
    text: text(each),
    constants: { is_transposed: transpose ? 1 : 0 },
    workgroups: tiles(8 * each, 32),
  };
}

/** gemm_tiled.wgsl. */
export const tiledKernel = (kernel: string, text: string): ProductKernel => ({
  kernel,
  text,
  constants: {},
  workgroups: tiles(64, 64),
});

/** gemm_direct.wgsl, with 8 rows a lane, or as many as there are. */
export function directTile({ rows }: ProductSize, text: (rows: number) => string): ProductKernel {
  const each = printedRows(rows);
  return { kernel: "gemm_direct", text: text(each), constants: {}, workgroups: tiles(each, 64) };
}
