/** What the kernels of gemm4bit share: how they are launched, and what they refuse. */
import { type Ops, storageOf } from "@halfbyte/core";
import type { Traits } from "../traits.js";
import scalesText from "../wgsl/scales4bit.wgsl";
import type { Kernel, Launcher } from "./operation.js";
import {
  multiply,
  type ProductKernel,
  type ProductSize,
  productModules,
  refuseSlices,
  sizeOfProduct,
} from "./product.js";
import { weight4bit } from "./weight.js";

export type Args = Ops["gemm4bit"]["in"];
type Out = Ops["gemm4bit"]["out"];
type Refuse = NonNullable<Kernel<"gemm4bit">["refuse"]>;

/** Before every kernel. */
export const modules: readonly string[] = [...productModules, scalesText];

export const launch4bit =
  (kernelOf: (size: ProductSize, args: Args, traits: Traits) => ProductKernel) =>
  (launcher: Launcher, args: Args, { out }: Out): void => {
    const { x, weight, bias, transpose = false } = args;
    const code = weight.code ? storageOf(weight.code) : launcher.table(weight.format);
    const product = { x, weight: weight4bit(weight, code), bias, isTransposed: transpose, nothing: code, out };
    multiply(launcher, product, kernelOf(sizeOfProduct(args), args, launcher.traits));
  };

/** Whole words of codes in a row, with one scale each. */
export function refuseShape(args: Args): string | undefined {
  const { inner } = sizeOfProduct(args);
  const { blockSize } = args.weight;
  if (args.transpose) return "the weight is transposed.";
  if (inner === 0 || inner % 32 !== 0) return `rows have ${inner} elements, which is not a multiple of 32.`;
  const isPower = blockSize >= 32 && Number.isInteger(Math.log2(blockSize));
  return isPower ? undefined : `blocks have ${blockSize} elements, which is not a power of two from 32 on.`;
}

export const refuseRows = (args: Args, least: number, most: number): string | undefined => {
  const { rows } = sizeOfProduct(args);
  return rows < least || rows > most ? `x has ${rows} rows.` : undefined;
};

export const refuseSlices4bit =
  (splits = 1): Refuse =>
  (args, traits) =>
    refuseSlices(args, 4, traits, splits);
