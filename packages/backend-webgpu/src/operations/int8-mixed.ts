/** int8MixedScaledMm: the scaled product, and the outlier columns of x times the decoded weight on top of it. */
import { type Float, inverse127, type Ops, type Storage, selfTestCase, storageOf } from "@halfbyte/core";
import { float, params } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, sliceOf } from "../slices.js";
import elementsText from "../wgsl/float_elements.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import codeText from "../wgsl/int8_code.wgsl";
import listText from "../wgsl/int8_outlier_list.wgsl";
import outliersText from "../wgsl/int8_outliers.wgsl";
import { bitsOf, dtypeNumber } from "./float-dtype.js";
import { productKernels, resultBytes, scaledOperands } from "./int8-matmul.js";
import { multiplyScaled, type Product, type ProductKernel, partsOf, productOf } from "./int8-product.js";
import type { Launcher, Operation } from "./operation.js";

const texts = {
  list: shader([listText]),
  add: shader([float32Text, float16Text, elementsText, codeText, outliersText]),
};

type Args = Ops["int8MixedScaledMm"]["in"];

/** Of rows of x and of the result: slices of both start at whole words. */
const rowBytes = ({ x, a, b }: Args): readonly number[] => {
  const { n, k } = productOf({ a, b });
  return [(k * bitsOf(x.dtype)) / 8, ...resultBytes(n, x.dtype)];
};

/** How many columns the mask marks is known on the device alone, and nobody waits to be told. */
function listOutliers(launcher: Launcher, mask: Storage): Storage {
  const list = launcher.scratch(4 + 4 * mask.byteLength);
  launcher.run({
    kernel: "int8_outlier_list",
    text: texts.list,
    constants: {},
    params: params(Math.ceil(mask.byteLength / 4)),
    reads: [mask],
    writes: [list],
    workgroups: 1,
  });
  return list;
}

interface Correction {
  readonly product: Product;
  readonly list: Storage;
  readonly out: Storage;
}

function addOutliers(launcher: Launcher, { x, colStats }: Args, job: Correction, rows: Range, columns: Range): void {
  const { product, list, out } = job;
  const { n, k, b } = product;
  const [m, count] = [rows.to - rows.from, columns.to - columns.from];
  const scaleRange = ({ from, to }: Range, by: number): Range => ({ from: from * by, to: to * by });
  launcher.run({
    kernel: "int8_outliers",
    text: texts.add,
    constants: { dtype: dtypeNumber[x.dtype] },
    params: params(m, count, k, n, columns.from, float(inverse127)),
    reads: [
      list,
      sliceOf(storageOf(x), scaleRange(rows, k), bitsOf(x.dtype)),
      sliceOf(b, scaleRange(columns, k), 8),
      sliceOf(storageOf(colStats), columns, 32),
    ],
    writes: [sliceOf(out, scaleRange(rows, n), bitsOf(x.dtype))],
    workgroups: Math.ceil(m / 16) * Math.ceil(count / 64),
  });
}

function launch(launcher: Launcher, by: ProductKernel, variant: string, args: Args, out: Storage): void {
  const product = productOf(args);
  const { dtype } = args.x;
  if (product.m * product.n === 0) return;
  multiplyScaled(launcher, by, variant, product, { ...args, dtype }, out);
  if (product.k === 0) return;
  const job = { product, list: listOutliers(launcher, storageOf(args.outlierColumns)), out };
  const { rows, columns } = partsOf(product, rowBytes(args), launcher.traits.pieceBytes);
  for (const some of rows) for (const few of columns) addOutliers(launcher, args, job, some, few);
}

/** Of the largest result: two roundings to the dtype, and the sum in another order. */
const bound: Readonly<Record<Float, number>> = { float32: 2 ** -14, float16: 2 ** -9, bfloat16: 2 ** -6 };

const mixed = (m: number, n: number, k: number, dtype: Float) =>
  selfTestCase("int8MixedScaledMm", bound[dtype], (backend) => ({
    ...scaledOperands(backend, m, n, k),
    x: backend.tensor(
      dtype,
      [m, k],
      new Uint8Array(((m * k * bitsOf(dtype)) / 8) | 0).map((_, i) => wholeNumber(dtype, i)),
    ),
    outlierColumns: backend.tensor(
      "uint8",
      [k],
      Uint8Array.from({ length: k }, (_, i) => (i % 11 === 3 || i === k - 1 ? 1 : 0)),
    ),
  }));

/** Bytes of 1 and −2 in turn. */
function wholeNumber(dtype: Float, byte: number): number {
  const ofElement = {
    float32: [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0],
    float16: [0, 0x3c, 0, 0xc0],
    bfloat16: [0x80, 0x3f, 0, 0xc0],
  };
  return ofElement[dtype][byte % ofElement[dtype].length]!;
}

export const int8MixedScaledMm: Operation<"int8MixedScaledMm"> = {
  kernels: productKernels<"int8MixedScaledMm">({
    launch: (launcher, by, variant, args, { out }) => launch(launcher, by, variant, args, storageOf(out)),
    rowBytes,
  }),
  cases: [mixed(20, 67, 45, "float32"), mixed(9, 6, 40, "bfloat16")],
};
