/** gemm4bit: x[.., K] · W[N, K]ᵀ, or x[.., N] · W[N, K] when transposed, the codes of W decoded on the way. */
import { shader } from "../shader.js";
import type { Traits } from "../traits.js";
import narrowText from "../wgsl/gemm_4bit_narrow.wgsl";
import anyText from "../wgsl/gemm_any.wgsl";
import directText from "../wgsl/gemm_direct.wgsl";
import tiledText from "../wgsl/gemm_tiled.wgsl";
import productsText from "../wgsl/gemv_4bit_products.wgsl";
import storeTeamsText from "../wgsl/store_teams.wgsl";
import teamSumText from "../wgsl/team_sum.wgsl";
import teamSumSubgroupsText from "../wgsl/team_sum_subgroups.wgsl";
import elementText from "../wgsl/weight4bit_element.wgsl";
import weightText from "../wgsl/weight4bit4.wgsl";
import x4Text from "../wgsl/x4.wgsl";
import { casesOfGemm4bit, sampleOfGemm4bit } from "./gemm-4bit-cases.js";
import { type Args, launch4bit, modules, refuseRows, refuseShape, refuseSlices4bit } from "./gemm-4bit-launch.js";
import { turbo } from "./gemm-4bit-turbo.js";
import type { Operation, Variant } from "./operation.js";
import { type ProductSize, sizeOfProduct } from "./product.js";
import {
  anyTile,
  directTile,
  memoized,
  narrowLimit,
  printedRows,
  rowsText,
  tiledKernel,
  tiles,
} from "./product-texts.js";

const anyShader = memoized((rows) => shader([...modules, rowsText(rows), elementText, anyText]));
const tiledShader = shader([...modules, x4Text, weightText, tiledText]);
const narrowModules = (rows: number): string[] => [...modules, rowsText(rows), x4Text, narrowText];
const narrowShader = memoized((rows) => shader([...narrowModules(rows), teamSumText, storeTeamsText]));
const narrowSubgroupsShader = memoized((rows) =>
  shader([...narrowModules(rows), teamSumSubgroupsText, storeTeamsText], { enable: ["subgroups"] }),
);

const directShader = memoized((rows) => shader([...modules, rowsText(rows), x4Text, weightText, directText]));
const productsShader = shader([...modules, x4Text, productsText]);

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
  launch4bit((size) => {
    const { splits, chunks } = narrowSplit(size);
    const workgroups = ({ columns }: ProductSize) => Math.ceil(columns / 16);
    return {
      kernel: "gemm_4bit_narrow",
      text: text(printedRows(size.rows)),
      constants: {},
      workgroups,
      splits,
      splitChunks: chunks,
    };
  });

/** A run of 4096 columns has 32 terms of each sum at a time; as many workgroups as keep an adapter busy, and their partial sums in one piece. */
const products = launch4bit(({ columns, inner }, _args, { pieceBytes }) => {
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

const direct = launch4bit((size) => directTile(size, directShader));

const narrowVariants: readonly Variant<"gemm4bit">[] = [
  { name: "subgroups", needs: ["subgroups"], launch: narrow(narrowSubgroupsShader) },
  { name: "t0", needs: [], launch: narrow(narrowShader) },
];

const refuseNarrow = (args: Args, traits: Traits, least: number, most: number): string | undefined =>
  refuseShape(args) ??
  refuseRows(args, least, most) ??
  refuseSlices4bit(narrowSplit(sizeOfProduct(args)).splits)(args, traits);

export const gemm4bit: Operation<"gemm4bit"> = {
  kernels: [
    turbo,
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
        refuseSlices4bit()(args, traits),
      variants: [
        { name: "t0", needs: [], launch: launch4bit(() => tiledKernel("gemm_4bit_tiled", tiledShader)) },
        { name: "direct", needs: [], launch: direct },
      ],
      sample: (backend) => sampleOfGemm4bit(backend, 64),
    },
    {
      name: "gemm_4bit_any",
      refuse: refuseSlices4bit(),
      variants: [
        { name: "t0", needs: [], launch: launch4bit((size, { transpose }) => anyTile(size, transpose, anyShader)) },
      ],
    },
  ],
  cases: casesOfGemm4bit,
};
