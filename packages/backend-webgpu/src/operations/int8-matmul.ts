/** int8LinearMatmul, exact in int32, and int8ScaledMm, whose sums are scaled in the same pass. */
import { type Backend, deviceOf, type Float, type Ops, type Profile, selfTestCase, storageOf } from "@halfbyte/core";
import { bitsOf } from "./float-dtype.js";
import {
  means,
  mostNarrowRows,
  multiply,
  multiplyScaled,
  type ProductKernel,
  productOf,
  refuseProduct,
} from "./int8-product.js";
import { refuseCpuProfile } from "./int8-scale.js";
import type { Kernel, Launcher, Operation } from "./operation.js";

type ProductOp = "int8LinearMatmul" | "int8ScaledMm" | "int8MixedScaledMm";

type Launch<K extends ProductOp> = (
  launcher: Launcher,
  by: ProductKernel,
  variant: string,
  args: Ops[K]["in"],
  out: Ops[K]["out"],
) => void;

export interface ProductKernels<K extends ProductOp> {
  readonly launch: Launch<K>;
  /** What rows of the result and of operands other than codes take, of all passes. */
  readonly rowBytes: (args: Ops[K]["in"]) => readonly number[];
  readonly sample?: (by: ProductKernel) => NonNullable<Kernel<K>["sample"]>;
}

/** The kernel for few rows of x, which refuses more, and the one for many. */
export const productKernels = <K extends ProductOp>(kernels: ProductKernels<K>): readonly Kernel<K>[] =>
  (["int8_narrow", "int8_tile"] as const).map((by) => ({
    name: by,
    refuse: (args, traits) => {
      const product = productOf(args);
      if (by === "int8_narrow" && product.m > mostNarrowRows) return `more than ${mostNarrowRows} rows.`;
      return (
        refuseCpuProfile(args as { readonly profile?: Profile }) ??
        refuseProduct(product, kernels.rowBytes(args), traits)
      );
    },
    variants: means[by].map(({ name, needs }) => ({
      name,
      needs,
      launch: (launcher: Launcher, args: Ops[K]["in"], out: Ops[K]["out"]) =>
        kernels.launch(launcher, by, name, args, out),
    })),
    ...(kernels.sample && { sample: kernels.sample(by) }),
  }));

/** One token and a tile of several, by a weight; less of it on a device that can bind little at once. */
const sampleShape = (by: ProductKernel, pieceBytes: number) => {
  if (by === "int8_tile") return { m: 64, n: Math.min(512, pieceBytes / 256), k: Math.min(1024, pieceBytes / 64) };
  const k = Math.min(4096, pieceBytes / 16);
  return { m: 1, n: Math.min(1024, pieceBytes / k), k };
};

const sample = (by: ProductKernel) => async (backend: Backend) => {
  const { m, n, k } = sampleShape(by, deviceOf(backend).limits.maxTensorBytes / 64);
  return { a: backend.zeros("int8", [m, k]), b: backend.zeros("int8", [n, k]) };
};

/** All byte values, in an order that repeats late. */
export const bytes = (backend: Backend, shape: readonly [number, number], seed: number) =>
  backend.tensor(
    "int8",
    shape,
    Int8Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >> 24),
  );

const product = (m: number, n: number, k: number) =>
  selfTestCase("int8LinearMatmul", 0, (b) => ({ a: bytes(b, [m, k], 1), b: bytes(b, [n, k], 2) }));

const positive = (backend: Backend, count: number, step: number) =>
  backend.tensor(
    "float32",
    [count],
    Float32Array.from({ length: count }, (_, i) => 0.37 + i * step),
  );

export const scaledOperands = (b: Backend, m: number, n: number, k: number) => ({
  a: bytes(b, [m, k], 1),
  b: bytes(b, [n, k], 2),
  rowStats: positive(b, m, 0.11),
  colStats: positive(b, n, 0.07),
});

const scaled = (m: number, n: number, k: number, dtype: Float, profile: "reference" | "cuda") =>
  selfTestCase("int8ScaledMm", 0, (b) => ({
    ...scaledOperands(b, m, n, k),
    bias: b.tensor("float16", [n], new Uint16Array(n).fill(0x3e01)),
    dtype,
    profile,
  }));

export const int8LinearMatmul: Operation<"int8LinearMatmul"> = {
  kernels: productKernels<"int8LinearMatmul">({
    launch: (launcher, by, variant, args, { out }) => multiply(launcher, by, variant, productOf(args), storageOf(out)),
    rowBytes: ({ b }) => [4 * b.shape[0]!],
    sample,
  }),
  cases: [product(4, 7, 2064), product(9, 66, 68), product(70, 5, 131)],
};

/** Of a row of sums, and of the result. */
export const resultBytes = (n: number, dtype: Float): readonly number[] => [4 * n, (n * bitsOf(dtype)) / 8];

export const int8ScaledMm: Operation<"int8ScaledMm"> = {
  kernels: productKernels<"int8ScaledMm">({
    launch: (launcher, by, variant, args, { out }) =>
      multiplyScaled(launcher, by, variant, productOf(args), args, storageOf(out)),
    rowBytes: ({ b, dtype }) => resultBytes(b.shape[0]!, dtype),
  }),
  cases: [
    scaled(3, 6, 48, "float16", "reference"),
    scaled(9, 6, 40, "float32", "reference"),
    scaled(10, 70, 33, "bfloat16", "reference"),
  ],
};
