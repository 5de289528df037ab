/** gemm4bit at accuracy `turbo`: activations in int8, 128 at a time, and the table in int8. On request only. */
import { type Operand, params } from "../dispatch.js";
import { shader } from "../shader.js";
import dot4Text from "../wgsl/dot4.wgsl";
import dot4PackedText from "../wgsl/dot4_packed.wgsl";
import turboText from "../wgsl/gemm_4bit_turbo.wgsl";
import quantizeText from "../wgsl/turbo_quantize.wgsl";
import x4Text from "../wgsl/x4.wgsl";
import { sampleOfGemm4bit } from "./gemm-4bit-cases.js";
import { type Args, launch4bit, modules, refuseShape, refuseSlices4bit } from "./gemm-4bit-launch.js";
import type { Kernel, Launcher } from "./operation.js";
import { inputModules, kinds, noBlocks, type ProductSize, sizeOfProduct } from "./product.js";
import { memoized, printedRows, rowsText, tiles } from "./product-texts.js";

const quantizeShader = shader([...inputModules, x4Text, quantizeText]);
const t0Shader = memoized((rows) => shader([...modules, rowsText(rows), dot4Text, turboText]));
const packedShader = memoized((rows) =>
  shader([...modules, rowsText(rows), dot4PackedText, turboText], { requires: ["packed_4x8_integer_dot_product"] }),
);

/** Terms with one scale, and the words they and it take. */
const groupTerms = 128;
const groupWords = 33;

function quantizeX(launcher: Launcher, x: Operand, { rows, inner }: ProductSize, dtype: Args["x"]["dtype"]): Operand {
  const groups = (rows * inner) / groupTerms;
  const quantized = launcher.scratch(groups * groupWords * 4);
  launcher.run({
    kernel: "turbo_quantize",
    text: quantizeShader,
    constants: { x_kind: kinds[dtype] },
    params: params(rows, 0, inner, inner, 0, 0, 0, 0, 0, 0, inner, ...noBlocks),
    reads: [x],
    writes: [quantized],
    workgroups: Math.ceil(groups / 64),
  });
  return quantized;
}

const launch = (text: (rows: number) => string) =>
  launch4bit((size, { x }) => {
    const each = printedRows(size.rows);
    return {
      kernel: "gemm_4bit_turbo",
      text: text(each),
      constants: {},
      workgroups: tiles(each, 64),
      prepare: (launcher, rows, slice) => quantizeX(launcher, rows, slice, x.dtype),
    };
  });

function refuse(args: Args): string | undefined {
  if (args.accuracy !== "turbo") return "turbo was not asked for.";
  const { inner } = sizeOfProduct(args);
  return inner % groupTerms === 0
    ? refuseShape(args)
    : `rows have ${inner} elements, which is not a multiple of ${groupTerms}.`;
}

export const turbo: Kernel<"gemm4bit"> = {
  name: "gemm_4bit_turbo",
  // What no kernel can do comes first: that is what users are told.
  refuse: (args, traits) => refuseSlices4bit()(args, traits) ?? refuse(args),
  variants: [
    { name: "dp4a", needs: ["dp4a"], launch: launch(packedShader) },
    { name: "t0", needs: [], launch: launch(t0Shader) },
  ],
  sample: (backend) => sampleOfGemm4bit(backend, 8, "turbo"),
};
