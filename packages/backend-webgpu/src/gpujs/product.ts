/**
 * Products of x with a 4-bit or a dense weight. Kernels sum over a part of a row in float32; the host adds the parts and the bias in float64 and
 * rounds once to the dtype of the output.
 */
import type { Float } from "@halfbyte/core";
import { type Coded, tileOf } from "./coded.js";
import type { Engine } from "./engine.js";
import { type Argument, type Kernel, tileElements } from "./kernels/kernel.js";
import { product4bit, product4bitByWord, productDense } from "./kernels/product.js";
import { type Range, ranges, type Slice, slices } from "./slices.js";
import type { HostStorage } from "./storage.js";

export interface Product {
  readonly weight: ProductWeight;
  /** Rows of x, and the extents of the weight. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transpose: boolean;
  readonly dtype: Float;
  readonly x: HostStorage;
  readonly bias: Floats | undefined;
  readonly out: HostStorage;
}

export interface Floats {
  readonly storage: HostStorage;
  readonly dtype: Float;
}

/** Its kernel, and the kernel's first arguments for elements [begin, end). */
export interface ProductWeight {
  readonly kernel: Kernel;
  tile(engine: Engine, begin: number, end: number): Promise<Argument[]>;
}

export const denseWeight = (weight: Floats): ProductWeight => ({
  kernel: productDense,
  tile: async (engine, begin, end) => [await residentFloats(engine, weight, begin, end)],
});

export const codedWeight = (coded: Coded, kernel: Kernel): ProductWeight => ({
  kernel,
  tile: (engine, begin, end) => tileOf(engine, coded, begin, end),
});

/** Words must not straddle rows or blocks, and their codes lie one behind the other. */
export const kernel4bit = (k: number, blockSize: number, transpose: boolean): Kernel =>
  k % 4 === 0 && blockSize % 4 === 0 && !transpose ? product4bitByWord : product4bit;

export async function multiply(engine: Engine, job: Product): Promise<void> {
  const [inner, outer] = job.transpose ? [job.n, job.k] : [job.k, job.n];
  // So that neither x nor the sums of one tile are longer than a tile may be.
  for (const rows of ranges(job.m, rowsPerTile(Math.max(inner, outer)))) {
    const sums = new Float64Array((rows.end - rows.begin) * outer);
    if (inner > 0 && outer > 0) await addProducts(engine, job, rows, sums);
    store(job, rows.begin * outer, outer, sums);
  }
}

const rowsPerTile = (length: number): number => Math.floor(tileElements / Math.max(1, length));

/** Rows `rows` of x times the weight, tile by tile, each of whole rows of the weight. */
async function addProducts(engine: Engine, job: Product, rows: Range, sums: Float64Array): Promise<void> {
  const inner = job.transpose ? job.n : job.k;
  const x = await residentFloats(engine, { storage: job.x, dtype: job.dtype }, rows.begin * inner, rows.end * inner);
  for (const tile of ranges(job.n, rowsPerTile(job.k))) {
    const weight = await job.weight.tile(engine, tile.begin * job.k, tile.end * job.k);
    const height = tile.end - tile.begin;
    const [outer, depth] = job.transpose ? [job.k, height] : [height, job.k];
    for (const slice of slices(outer, rows.end - rows.begin, depth, engine.budget)) {
      const parts = await engine.run(job.weight.kernel, extentsOf(slice), [...weight, x, ...walk(job, tile, slice)]);
      addParts(sums, parts, slice, job.transpose ? { begin: 0, stride: job.k } : { begin: tile.begin, stride: job.n });
    }
  }
}

const extentsOf = ({ outer, rows }: Slice): [number, number] => [outer.end - outer.begin, rows.end - rows.begin];

/** outerFirst, outerStride, depthStride, rowFirst, rowStride, xFirst, begin, end. */
const walk = ({ transpose, n, k }: Product, tile: Range, { outer, rows, depth }: Slice): number[] => [
  outer.begin,
  ...(transpose ? [1, k] : [k, 1]),
  rows.begin,
  ...(transpose ? [n, tile.begin] : [k, 0]),
  depth.begin,
  depth.end,
];

function addParts(
  sums: Float64Array,
  parts: readonly Float32Array[],
  slice: Slice,
  place: { begin: number; stride: number },
) {
  for (const [row, values] of parts.entries()) {
    const first = (slice.rows.begin + row) * place.stride + place.begin + slice.outer.begin;
    for (let i = 0; i < values.length; i++) sums[first + i]! += values[i]!;
  }
}

function store({ bias, dtype, out }: Product, begin: number, outer: number, sums: Float64Array): void {
  const addends = bias?.storage.floats(bias.dtype, 0, outer);
  if (addends) for (let i = 0; i < sums.length; i++) sums[i]! += addends[i % outer]!;
  out.storeFloats(dtype, begin, Float32Array.from(sums));
}

function residentFloats(engine: Engine, { storage, dtype }: Floats, begin: number, end: number) {
  return storage.resident(`floats ${begin} ${end}`, () => engine.resident(storage.floats(dtype, begin, end)));
}
