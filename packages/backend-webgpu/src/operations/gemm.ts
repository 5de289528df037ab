/** gemm: x[.., K] · W[N, K]ᵀ, or x[.., N] · W[N, K] when transposed, of any float dtypes. */
import {
  type Backend,
  createRandom,
  type Float,
  fromFloat32,
  type Ops,
  selfTestCase,
  type Tensor,
} from "@halfbyte/core";
import { shader } from "../shader.js";
import anyText from "../wgsl/gemm_any.wgsl";
import directText from "../wgsl/gemm_direct.wgsl";
import narrowText from "../wgsl/gemm_narrow.wgsl";
import tiledText from "../wgsl/gemm_tiled.wgsl";
import storeTeamsText from "../wgsl/store_teams.wgsl";
import teamSumText from "../wgsl/team_sum.wgsl";
import teamSumSubgroupsText from "../wgsl/team_sum_subgroups.wgsl";
import denseText from "../wgsl/weight_dense.wgsl";
import dense4Text from "../wgsl/weight_dense4.wgsl";
import x4Text from "../wgsl/x4.wgsl";
import type { Kernel, Launcher, Operation } from "./operation.js";
import {
  bitsOf,
  multiply,
  type ProductKernel,
  type ProductSize,
  productModules,
  refuseSlices,
  sizeOfProduct,
} from "./product.js";
import { anyTile, directTile, memoized, narrowLimit, printedRows, rowsText, tiledKernel } from "./product-texts.js";
import { denseWeight } from "./weight.js";

type Args = Ops["gemm"]["in"];
type Out = Ops["gemm"]["out"];

const anyShader = memoized((rows) => shader([...productModules, rowsText(rows), denseText, anyText]));
const tiledShader = shader([...productModules, x4Text, dense4Text, tiledText]);
const narrowModules = (rows: number): string[] => [...productModules, rowsText(rows), x4Text, dense4Text, narrowText];
const narrowShader = memoized((rows) => shader([...narrowModules(rows), teamSumText, storeTeamsText]));
const narrowSubgroupsShader = memoized((rows) =>
  shader([...narrowModules(rows), teamSumSubgroupsText, storeTeamsText], { enable: ["subgroups"] }),
);

const directShader = memoized((rows) => shader([...productModules, rowsText(rows), x4Text, dense4Text, directText]));

const launch =
  (kernelOf: (size: ProductSize, args: Args) => ProductKernel) =>
  (launcher: Launcher, args: Args, { out }: Out): void => {
    const { x, weight, bias, transpose = false } = args;
    const kernel = kernelOf(sizeOfProduct(args), args);
    multiply(
      launcher,
      { x, weight: denseWeight(weight), bias, isTransposed: transpose, nothing: launcher.scratch(4), out },
      kernel,
    );
  };

/** Rows are read four elements at a time. */
function refuseShape(args: Args): string | undefined {
  const { inner } = sizeOfProduct(args);
  if (args.transpose) return "the weight is transposed.";
  return inner === 0 || inner % 16 !== 0 ? `rows have ${inner} elements, which is not a multiple of 16.` : undefined;
}

const slicesRefused: NonNullable<Kernel<"gemm">["refuse"]> = (args, traits) =>
  refuseSlices(args, bitsOf(args.weight.dtype), traits);

const narrow = (text: (rows: number) => string) =>
  launch(({ rows }) => ({
    kernel: "gemm_narrow",
    text: text(printedRows(rows)),
    constants: {},
    workgroups: ({ columns }) => Math.ceil(columns / 16),
  }));

const direct = launch((size) => directTile(size, directShader));

/** Several tokens of a small layer. */
async function sample(backend: Backend, m: number): Promise<Args> {
  return { x: values(backend, "float32", [m, 1024], 1), weight: values(backend, "float32", [512, 1024], 2) };
}

function values(backend: Backend, dtype: Float, shape: readonly [number, number], seed: number): Tensor<Float> {
  const { normal } = createRandom(seed);
  return backend.tensor(
    dtype,
    shape,
    fromFloat32(
      dtype,
      Float32Array.from({ length: shape[0] * shape[1] }, () => normal()),
    ),
  );
}

const oneCase = (m: number, n: number, k: number, dtype: Float) =>
  selfTestCase("gemm", 2 ** -9, (b) => ({ x: values(b, dtype, [m, k], 1), weight: values(b, dtype, [n, k], 2) }));

export const gemm: Operation<"gemm"> = {
  kernels: [
    {
      name: "gemm_narrow",
      refuse: (args, traits) =>
        refuseShape(args) ??
        (sizeOfProduct(args).rows > narrowLimit ? `x has more than ${narrowLimit} rows.` : undefined) ??
        slicesRefused(args, traits),
      variants: [
        { name: "subgroups", needs: ["subgroups"], launch: narrow(narrowSubgroupsShader) },
        { name: "t0", needs: [], launch: narrow(narrowShader) },
        { name: "direct", needs: [], launch: direct },
      ],
      sample: (backend) => sample(backend, 1),
    },
    {
      name: "gemm_tiled",
      refuse: (args, traits) =>
        refuseShape(args) ??
        (sizeOfProduct(args).rows > narrowLimit ? undefined : "x has few rows.") ??
        slicesRefused(args, traits),
      variants: [
        { name: "t0", needs: [], launch: launch(() => tiledKernel("gemm_tiled", tiledShader)) },
        { name: "direct", needs: [], launch: direct },
      ],
      sample: (backend) => sample(backend, 64),
    },
    {
      name: "gemm_any",
      refuse: slicesRefused,
      variants: [
        { name: "t0", needs: [], launch: launch((size, { transpose }) => anyTile(size, transpose, anyShader)) },
      ],
    },
  ],
  cases: [
    oneCase(20, 70, 64, "float32"),
    oneCase(9, 66, 32, "bfloat16"),
    oneCase(2, 33, 96, "float16"),
    oneCase(5, 7, 19, "float16"),
  ],
};
