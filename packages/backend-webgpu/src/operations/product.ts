/**
 * What the matrix products share: out[row, column] = Σ x[row, inner] · w[column, inner] + bias[column], for which weights are bound in slices of
 * rows, x and out in slices of theirs. Sums that one run of a kernel does not finish, or cannot store, go through float32 partial sums.
 */
import { type Float, type Shape, type Storage, sizeOf, storageOf, type Tensor } from "@halfbyte/core";
import { float, type Operand, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { leastCommonMultiple, type Range, ranges, sliceOf } from "../slices.js";
import type { Traits } from "../traits.js";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import finishText from "../wgsl/gemm_finish.wgsl";
import productText from "../wgsl/product.wgsl";
import outputText from "../wgsl/product_output.wgsl";
import type { Launcher } from "./operation.js";

/** Before a kernel that reads x. */
export const inputModules: readonly string[] = [float32Text, float16Text, productText];

/** Before every kernel of a product. */
export const productModules: readonly string[] = [...inputModules, outputText];

const finish = shader([...productModules, finishText]);

/** Of a tensor's elements, as product.wgsl counts them. */
export const kinds: Readonly<Record<Float, number>> = { float32: 0, float16: 1, bfloat16: 2 };
const absent = 3;

export const bitsOf = (dtype: Float): number => (dtype === "float32" ? 32 : 16);

/** A weight [N, K] as a kernel sees it. */
export interface Weight {
  readonly shape: readonly [rows: number, columns: number];
  /** Bits of an element: what a piece holds of it. */
  readonly bits: number;
  readonly constants: Readonly<Record<string, number>>;
  /** Its operands from one row to another. */
  reads(rows: Range): readonly Operand[];
  /** Words of product.wgsl's parameters, after the stride. */
  words(rows: Range): readonly number[];
}

export interface Product {
  readonly x: Tensor<Float>;
  readonly weight: Weight;
  readonly bias: Tensor<Float> | undefined;
  readonly isTransposed: boolean;
  /** Bound where there is nothing to bind. */
  readonly nothing: Storage;
  readonly out: Tensor<Float>;
}

/** A kernel for a product, or for a slice of one. */
export interface ProductKernel {
  readonly kernel: string;
  readonly text: string;
  readonly constants: Readonly<Record<string, number>>;
  workgroups(size: ProductSize): number;
  /** In how many parts every sum is made; 1 where absent. */
  readonly splits?: number;
  /** Terms in a part, by 32. */
  readonly splitChunks?: number;
  /** What it sees instead of some rows of x. */
  prepare?(launcher: Launcher, x: Operand, size: ProductSize): Operand;
  /** Whether it makes partial sums also where there is one part. */
  readonly isPartial?: boolean;
}

export interface ProductSize {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
}

/** Arguments of both operations, as far as shapes go. */
export interface ProductShape {
  readonly x: { readonly shape: Shape; readonly dtype: Float };
  readonly weight: { readonly shape: Shape };
  readonly transpose?: boolean;
}

export function sizeOfProduct({ x, weight, transpose = false }: ProductShape): ProductSize {
  const [n, k] = weight.shape as readonly [number, number];
  return { rows: sizeOf(x.shape.slice(0, -1)), columns: transpose ? k : n, inner: transpose ? n : k };
}

interface Slices {
  /** Of x and out. */
  readonly rows: readonly Range[];
  readonly weightRows: readonly Range[];
}

/** How many rows end at a multiple of `bits`. */
const rowsUpTo = (bits: number, rowBits: number): number =>
  rowBits === 0 ? 1 : leastCommonMultiple(bits, rowBits) / rowBits;

/** In a slice, elements and blocks are counted in 32 bits. */
const mostBytes = 2 ** 30;

/** At multiples of 256 bytes where such slices fit, else at whole words: those are copied to where they can be bound. */
function aligned(count: number, widest: number, pieceBytes: number, rowBits: readonly number[]): Range[] {
  for (const bits of [2048, 32]) {
    const step = rowBits.reduce((all, row) => leastCommonMultiple(all, rowsUpTo(bits, row)), 1);
    const found = ranges(count, widest, Math.min(pieceBytes, mostBytes), step);
    if (found.length > 0) return found;
  }
  return [];
}

function slicesOf(shape: ProductShape, weightBits: number, splits: number, { pieceBytes }: Traits): Slices {
  const { rows, columns, inner } = sizeOfProduct(shape);
  const [n, k] = shape.weight.shape as readonly [number, number];
  const bits = bitsOf(shape.x.dtype);
  // An output may go through partial sums, which are wider.
  const widest = Math.max((inner * bits) / 8, columns * 4 * splits);
  return {
    rows: aligned(rows, widest, pieceBytes, [inner * bits, columns * bits]),
    weightRows: aligned(n, (k * weightBits) / 8, pieceBytes, [k * weightBits]),
  };
}

export const isEmpty = ({ rows, columns }: ProductSize): boolean => rows === 0 || columns === 0;

/** Why no slice of the tensors fits. */
export function refuseSlices(shape: ProductShape, weightBits: number, traits: Traits, splits = 1): string | undefined {
  const { rows, columns, inner } = sizeOfProduct(shape);
  if (isEmpty({ rows, columns, inner }) || inner === 0) return undefined;
  const { rows: rowSlices, weightRows } = slicesOf(shape, weightBits, splits, traits);
  if (rowSlices.length > 0 && weightRows.length > 0) return undefined;
  return `rows of ${inner} and ${columns} elements do not fit the ${traits.pieceBytes} bytes that are bound at once.`;
}

/** Enqueues the runs of a kernel that make a product. */
export function multiply(launcher: Launcher, product: Product, kernel: ProductKernel): void {
  const { x, weight, isTransposed } = product;
  const shape: ProductShape = { x, weight, transpose: isTransposed };
  const size = sizeOfProduct(shape);
  if (isEmpty(size)) return;
  const { rows, weightRows } = slicesOf(shape, weight.bits, kernel.splits ?? 1, launcher.traits);
  for (const range of rows) multiplyRows(launcher, product, kernel, { size, range, weightRows });
}

interface RowSlice {
  /** Of the whole product. */
  readonly size: ProductSize;
  readonly range: Range;
  readonly weightRows: readonly Range[];
}

function multiplyRows(launcher: Launcher, product: Product, kernel: ProductKernel, slice: RowSlice): void {
  const { x, bias, out, isTransposed } = product;
  const { size, range, weightRows } = slice;
  const { splits = 1 } = kernel;
  const rows = range.to - range.from;
  // Words of two elements are stored at once, and a sum over slices of the weight is added to what is there.
  const isStored =
    !kernel.isPartial &&
    splits === 1 &&
    (out.dtype === "float32" || size.columns % 2 === 0) &&
    !(isTransposed && weightRows.length > 1);
  const plane = rows * size.columns;
  const partial = isStored ? undefined : launcher.scratch(splits * plane * 4);
  const target = partial ?? rowsIn(out, range, size.columns);
  const constants = {
    ...product.weight.constants,
    ...kernel.constants,
    x_kind: kinds[x.dtype],
  };
  const stored = isStored ? [kinds[out.dtype], bias ? kinds[bias.dtype] : absent] : [kinds.float32, absent];
  const rowsOfX = rowsIn(x, range, size.inner);
  const seen = kernel.prepare?.(launcher, rowsOfX, { ...size, rows }) ?? rowsOfX;
  for (const [i, weightRange] of weightRows.entries()) {
    const part = weightRange.to - weightRange.from;
    const run = { rows, columns: isTransposed ? size.columns : part, inner: isTransposed ? part : size.inner };
    const [xBegin, outBegin] = isTransposed ? [weightRange.from, 0] : [0, weightRange.from];
    launcher.run({
      kernel: kernel.kernel,
      text: kernel.text,
      constants,
      params: params(
        ...[run.rows, run.columns, run.inner, size.inner, xBegin, size.columns, outBegin, plane],
        ...[splits, kernel.splitChunks ?? 0],
        product.weight.shape[1],
        ...product.weight.words(weightRange),
        ...stored,
        isTransposed && i > 0 ? 1 : 0,
      ),
      reads: [seen, ...product.weight.reads(weightRange), bias ? storageOf(bias) : product.nothing],
      writes: [target],
      workgroups: kernel.workgroups(run) * splits,
    });
  }
  if (partial) finishRows(launcher, product, { partial, splits, plane, range, columns: size.columns });
}

const rowsIn = (tensor: Tensor<Float>, { from, to }: Range, length: number): Operand =>
  sliceOf(storageOf(tensor), { from: from * length, to: to * length }, bitsOf(tensor.dtype));

interface Finish {
  readonly partial: Storage;
  readonly splits: number;
  readonly plane: number;
  readonly range: Range;
  readonly columns: number;
}

function finishRows(
  launcher: Launcher,
  { bias, out, nothing }: Product,
  { partial, splits, plane, range, columns }: Finish,
): void {
  const rows = range.to - range.from;
  launcher.run({
    kernel: "gemm_finish",
    text: finish,
    constants: {},
    params: params(
      ...[rows, columns, 0, 0, 0, columns, 0, plane],
      ...[splits, 0, 1],
      ...noBlocks,
      ...[kinds[out.dtype], bias ? kinds[bias.dtype] : absent, 0],
    ),
    reads: [partial, bias ? storageOf(bias) : nothing],
    writes: [rowsIn(out, range, columns)],
    workgroups: Math.ceil((rows * columns * bitsOf(out.dtype)) / 32 / 64),
  });
}

/** Words of a weight that has no blocks. */
export const noBlocks: readonly number[] = [1, 0, 0, 1, float(0), 0];
