/** gemm4bit: x[.., K] · W[N, K]ᵀ, or x[.., N] · W[N, K] when transposed, the codes of W decoded on the way. */
import { type Ops, storageOf } from "@halfbyte/core";
import { shader } from "../shader.js";
import type { Traits } from "../traits.js";
import narrowText from "../wgsl/gemm_4bit_narrow.wgsl";
import anyText from "../wgsl/gemm_any.wgsl";
import directText from "../wgsl/gemm_direct.wgsl";
import tiledText from "../wgsl/gemm_tiled.wgsl";
import productsText from "../wgsl/gemv_4bit_products.wgsl";
import scalesText from "../wgsl/scales4bit.wgsl";
import storeTeamsText from "../wgsl/store_teams.wgsl";
import teamSumText from "../wgsl/team_sum.wgsl";
import teamSumSubgroupsText from "../wgsl/team_sum_subgroups.wgsl";
import elementText from "../wgsl/weight4bit_element.wgsl";
import weightText from "../wgsl/weight4bit4.wgsl";
import x4Text from "../wgsl/x4.wgsl";
import { casesOfGemm4bit, sampleOfGemm4bit } from "./gemm-4bit-cases.js";
import type { Kernel, Launcher, Operation, Variant } from "./operation.js";
import {
  multiply,
  type ProductKernel,
  type ProductSize,
  productModules,
  refuseSlices,
  sizeOfProduct,
} from "./product.js";
import { anyTile, directTile, memoized, narrowLimit, rowsText, tiledKernel, tiles } from "./product-texts.js";
import { weight4bit } from "./weight.js";

type Args = Ops["gemm4bit"]["in"];
type Out = Ops["gemm4bit"]["out"];
type Refuse = NonNullable<Kernel<"gemm4bit">["refuse"]>;

const modules = [...productModules, scalesText];
const anyShader = memoized((rows) => shader([...modules, rowsText(rows), elementText, anyText]));
const tiledShader = shader([...modules, x4Text, weightText, tiledText]);
const narrowModules = (rows: number): string[] => [...modules, rowsText(rows), x4Text, narrowText];
const narrowShader = memoized((rows) => shader([...narrowModules(rows), teamSumText, storeTeamsText]));
const narrowSubgroupsShader = memoized((rows) =>
  shader([...narrowModules(rows), teamSumSubgroupsText, storeTeamsText], { enable: ["subgroups"] }),
);

const directShader = memoized((rows) => shader([...modules, rowsText(rows), x4Text, weightText, directText]));
const productsShader = shader([...modules, x4Text, productsText]);

const launch =
  (kernelOf: (size: ProductSize, args: Args, traits: Traits) => ProductKernel) =>
  (launcher: Launcher, args: Args, { out }: Out): void => {
    const { x, weight, bias, transpose = false } = args;
    const code = weight.code ? storageOf(weight.code) : launcher.table(weight.format);
    const product = { x, weight: weight4bit(weight, code), bias, isTransposed: transpose, nothing: code, out };
    multiply(launcher, product, kernelOf(sizeOfProduct(args), args, launcher.traits));
  };

/** Whole words of codes in a row, with one scale each. */
function refuseShape(args: Args): string | undefined {
  const { inner } = sizeOfProduct(args);
  const { blockSize } = args.weight;
  if (args.transpose) return "the weight is transposed.";
  if (inner === 0 || inner % 32 !== 0) return `rows have ${inner} elements, which is not a multiple of 32.`;
  const isPower = blockSize >= 32 && Number.isInteger(Math.log2(blockSize));
  return isPower ? undefined : `blocks have ${blockSize} elements, which is not a power of two from 32 on.`;
}

const refuseRows = (args: Args, least: number, most: number): string | undefined => {
  const { rows } = sizeOfProduct(args);
  return rows < least || rows > most ? `x has ${rows} rows.` : undefined;
};

const slicesRefused =
  (splits = 1): Refuse =>
  (args, traits) =>
    refuseSlices(args, 4, traits, splits);

const chunkTerms = 32;
const wantedWorkgroups = 256;

/** Sums are split where the columns alone keep few lanes busy, into parts in which each lane of a team has something to do. */
function narrowSplit({ columns, inner }: ProductSize): { readonly splits: number; readonly chunks: number } {
  const chunks = inner / chunkTerms;
  const wanted = Math.floor(wantedWorkgroups / Math.ceil(columns / 16));
  const each = Math.ceil(chunks / Math.max(1, wanted) / 32) * 32;
  return { splits: Math.ceil(chunks / each), chunks: each };
}

const narrow = (text: (rows: number) => string) =>
  launch((size) => {
    const { splits, chunks } = narrowSplit(size);
    const workgroups = ({ columns }: ProductSize) => Math.ceil(columns / 16);
    return {
      kernel: "gemm_4bit_narrow",
      text: text(size.rows),
      constants: {},
      workgroups,
      splits,
      splitChunks: chunks,
    };
  });

/** A run of 4096 columns has 32 terms of each sum at a time; as many workgroups as keep an adapter busy, and their partial sums in one piece. */
const products = launch(({ columns, inner }, _args, { pieceBytes }) => {
  const chunks = inner / chunkTerms;
  const most = Math.min(64, Math.floor(pieceBytes / (4 * columns)));
  const splitChunks = Math.ceil(chunks / Math.max(1, most));
  const splits = Math.ceil(chunks / splitChunks);
  return {
    kernel: "gemv_4bit_products",
    text: productsShader,
    constants: {},
    workgroups: tiles(1, 4096),
    splits,
    splitChunks,
    isPartial: true,
  };
});

const direct = launch((size) => directTile(size, directShader));

const narrowVariants: readonly Variant<"gemm4bit">[] = [
  { name: "subgroups", needs: ["subgroups"], launch: narrow(narrowSubgroupsShader) },
  { name: "t0", needs: [], launch: narrow(narrowShader) },
];

const refuseNarrow = (args: Args, traits: Traits, least: number, most: number): string | undefined =>
  refuseShape(args) ??
  refuseRows(args, least, most) ??
  slicesRefused(narrowSplit(sizeOfProduct(args)).splits)(args, traits);

export const gemm4bit: Operation<"gemm4bit"> = {
  kernels: [
    {
      name: "gemv_4bit",
      refuse: (args, traits) => refuseNarrow(args, traits, 1, 1),
      variants: [...narrowVariants, { name: "products", needs: [], launch: products }],
      sample: (backend) => sampleOfGemm4bit(backend, 1),
    },
    {
      name: "gemm_4bit_narrow",
      refuse: (args, traits) => refuseNarrow(args, traits, 2, narrowLimit),
      variants: [...narrowVariants, { name: "direct", needs: [], launch: direct }],
      sample: (backend) => sampleOfGemm4bit(backend, 4),
    },
    {
      name: "gemm_4bit_tiled",
      refuse: (args, traits) =>
        refuseShape(args) ??
        refuseRows(args, narrowLimit + 1, Number.POSITIVE_INFINITY) ??
        slicesRefused()(args, traits),
      variants: [
        { name: "t0", needs: [], launch: launch(() => tiledKernel("gemm_4bit_tiled", tiledShader)) },
        { name: "direct", needs: [], launch: direct },
      ],
      sample: (backend) => sampleOfGemm4bit(backend, 64),
    },
    {
      name: "gemm_4bit_any",
      refuse: slicesRefused(),
      variants: [
        { name: "t0", needs: [], launch: launch((size, { transpose }) => anyTile(size, transpose, anyShader)) },
      ],
    },
  ],
  cases: casesOfGemm4bit,
};
