/** Integer products: the kernels for few rows and for many, with their variants, whose sums are kept or scaled. */
import { type Ops, type Storage, storageOf } from "@halfbyte/core";
import { type Dispatch, type Operand, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, rowRanges, sliceOf } from "../slices.js";
import type { Need, Traits } from "../traits.js";
import dotText from "../wgsl/int8_dot.wgsl";
import packedText from "../wgsl/int8_dot_packed.wgsl";
import narrowText from "../wgsl/int8_narrow.wgsl";
import operandsText from "../wgsl/int8_operands.wgsl";
import sixteensText from "../wgsl/int8_operands_16.wgsl";
import productText from "../wgsl/int8_product.wgsl";
import storeScaledText from "../wgsl/int8_store_scaled.wgsl";
import storeSumsText from "../wgsl/int8_store_sums.wgsl";
import lanesText from "../wgsl/int8_sum_lanes.wgsl";
import subgroupsText from "../wgsl/int8_sum_subgroups.wgsl";
import tileText from "../wgsl/int8_tile.wgsl";
import { bitsOf, lastOf, rowsOf } from "./float-dtype.js";
import {
  beyond,
  type Scaling,
  scaleConstants,
  scaleOperands,
  scaleSums,
  scaleTexts,
  scaleWords,
} from "./int8-scale.js";
import type { Launcher } from "./operation.js";

/** What a variant of a kernel computes with. */
export interface Means {
  readonly name: string;
  readonly needs: readonly Need[];
}

/** In order of preference. */
export const means = {
  int8_narrow: [
    { name: "dp4a+subgroups", needs: ["dp4a", "subgroups"] },
    { name: "dp4a", needs: ["dp4a"] },
    { name: "t0", needs: [] },
  ],
  int8_tile: [
    { name: "dp4a", needs: ["dp4a"] },
    { name: "t0", needs: [] },
  ],
} as const satisfies Record<string, readonly Means[]>;

export type ProductKernel = keyof typeof means;

/** Rows of x up to which a weight is read once for all of them. */
export const mostNarrowRows = 8;

interface TextChoice {
  readonly kernel: ProductKernel;
  readonly isScaled: boolean;
  /** Rows are whole sixteens of bytes. */
  readonly bySixteens: boolean;
}

function textOf({ kernel, isScaled, bySixteens }: TextChoice, needs: readonly Need[]): string {
  const isPacked = needs.includes("dp4a");
  const hasSubgroups = needs.includes("subgroups");
  const store = isScaled ? [...scaleTexts, storeScaledText] : [storeSumsText];
  const main = kernel === "int8_narrow" ? [narrowText, hasSubgroups ? subgroupsText : lanesText] : [tileText];
  const operands = bySixteens ? sixteensText : operandsText;
  return shader([productText, operands, isPacked ? packedText : dotText, ...store, ...main], {
    enable: hasSubgroups ? ["subgroups"] : [],
    requires: isPacked ? ["packed_4x8_integer_dot_product"] : [],
  });
}

const keyOf = ({ kernel, isScaled, bySixteens }: TextChoice, name: string): string =>
  [kernel, name, isScaled, bySixteens].join(" ");

/** All of them at once: their hash tells this build from another. */
const texts = new Map(
  (["int8_narrow", "int8_tile"] as const).flatMap((kernel) =>
    means[kernel].flatMap(({ name, needs }) =>
      [false, true].flatMap((isScaled) =>
        (kernel === "int8_narrow" ? [false, true] : [false]).map((bySixteens) => {
          const choice = { kernel, isScaled, bySixteens };
          return [keyOf(choice, name), textOf(choice, needs)] as const;
        }),
      ),
    ),
  ),
);

/** Rows of a times rows of b. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Storage;
  readonly b: Storage;
}

export const productOf = ({ a, b }: Ops["int8LinearMatmul"]["in"]): Product => ({
  m: rowsOf(a.shape),
  n: b.shape[0]!,
  k: lastOf(a.shape),
  a: storageOf(a),
  b: storageOf(b),
});

/** Of rows of x (or a) and of the result, which take so many bytes each, and of rows of the weight, in pairs. */
export const partsOf = ({ m, n, k }: Shape, rowBytes: readonly number[], pieceBytes: number) => ({
  rows: rowRanges(m, [k, ...rowBytes], pieceBytes),
  columns: rowRanges(n, [k, 2], pieceBytes),
});

type Shape = Pick<Product, "m" | "n" | "k">;

/** `rowBytes`: what rows of the result and of other operands take, of all passes. */
export function refuseProduct(shape: Shape, rowBytes: readonly number[], { pieceBytes }: Traits): string | undefined {
  const { rows, columns } = partsOf(shape, rowBytes, pieceBytes);
  if (rows.length > 0 && columns.length > 0) return undefined;
  return `rows of ${shape.k} codes, or of ${Math.max(...rowBytes)} bytes, up to one that begins at a whole word, ${beyond(pieceBytes)}`;
}

const sizeOf = ({ from, to }: Range): number => to - from;

/** What the kernels are given for some rows and columns. */
interface Part {
  readonly rows: Range;
  readonly columns: Range;
}

type Epilogue = Pick<Dispatch, "constants" | "reads" | "writes"> & {
  readonly words: readonly number[];
  readonly isScaled: boolean;
};

function multiplyPart(
  launcher: Launcher,
  by: ProductKernel,
  name: string,
  product: Product,
  part: Part,
  end: Epilogue,
) {
  const { n, k, a, b } = product;
  const [m, columns] = [sizeOf(part.rows), sizeOf(part.columns)];
  const isNarrow = by === "int8_narrow";
  const bySixteens = isNarrow && k % 16 === 0 && k > 0;
  launcher.run({
    kernel: by,
    text: texts.get(keyOf({ kernel: by, isScaled: end.isScaled, bySixteens }, name))!,
    constants: {
      ...end.constants,
      ...(isNarrow && { rows: 2 ** Math.ceil(Math.log2(m)) }),
      ...(!bySixteens && { is_aligned: k % 4 === 0 ? 1 : 0 }),
    },
    params: params(m, columns, k, n, part.columns.from, ...end.words),
    reads: [bytesOf(a, part.rows, k), bytesOf(b, part.columns, k), ...end.reads],
    writes: end.writes,
    workgroups: isNarrow ? Math.ceil(columns / 4) : Math.ceil(m / 64) * Math.ceil(columns / 64),
  });
}

const bytesOf = (storage: Storage, { from, to }: Range, k: number): Operand =>
  sliceOf(storage, { from: from * k, to: to * k }, 8);

const resultOf = (out: Storage, { from, to }: Range, n: number, bits: number): Operand =>
  sliceOf(out, { from: from * n, to: to * n }, bits);

function eachPart(launcher: Launcher, product: Product, rowBytes: number, run: (part: Part) => void): void {
  if (product.m * product.n === 0) return;
  const { rows, columns } = partsOf(product, [rowBytes], launcher.traits.pieceBytes);
  for (const some of rows) for (const few of columns) run({ rows: some, columns: few });
}

export function multiply(launcher: Launcher, by: ProductKernel, name: string, product: Product, out: Storage): void {
  const { n } = product;
  eachPart(launcher, product, 4 * n, (part) => {
    const writes = [resultOf(out, part.rows, n, 32)];
    multiplyPart(launcher, by, name, product, part, {
      constants: {},
      reads: [],
      writes,
      words: [0, 0, 0],
      isScaled: false,
    });
  });
}

/** A word of two results belongs to one lane where rows have an even number of columns; else the sums are scaled in a pass of their own. */
export function multiplyScaled(
  launcher: Launcher,
  by: ProductKernel,
  name: string,
  product: Product,
  scaling: Scaling,
  out: Storage,
): void {
  const { n } = product;
  const bits = bitsOf(scaling.dtype);
  if (bits === 16 && n % 2 === 1) {
    multiplyThenScale(launcher, by, name, product, scaling, out);
    return;
  }
  eachPart(launcher, product, (n * bits) / 8, (part) =>
    multiplyPart(launcher, by, name, product, part, {
      constants: scaleConstants(scaling),
      reads: scaleOperands(scaling, part.rows, part.columns),
      writes: [resultOf(out, part.rows, n, bits)],
      words: scaleWords(scaling),
      isScaled: true,
    }),
  );
}

function multiplyThenScale(
  launcher: Launcher,
  by: ProductKernel,
  name: string,
  product: Product,
  scaling: Scaling,
  out: Storage,
): void {
  const { m, n } = product;
  const sums = launcher.scratch(4 * m * n);
  multiply(launcher, by, name, product, sums);
  scaleSums(launcher, { rows: m, columns: n, a: sums, out }, scaling);
}
