/** optimizerUpdate8bitBlockwise: one kernel for the usual block sizes, one for all others. */
import { type Ops, type Optimizer, type Storage, storageOf, type Tensor } from "@halfbyte/core";
import type { Operand } from "../dispatch.js";
import { moveBytes } from "../move-bytes.js";
import { shader } from "../shader.js";
import { leastCommonMultiple, type Range, ranges, sliceOf } from "../slices.js";
import type { Traits } from "../traits.js";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import sharedText from "../wgsl/optimizer_8bit.wgsl";
import groupedText from "../wgsl/optimizer_8bit_grouped.wgsl";
import loopedText from "../wgsl/optimizer_8bit_looped.wgsl";
import floatsText from "../wgsl/optimizer_floats.wgsl";
import ruleText from "../wgsl/optimizer_rule.wgsl";
import mapsText from "../wgsl/state_maps.wgsl";
import type { Kernel, Launcher, Operation } from "./operation.js";
import { behind, floatBits } from "./optimizer-32bit.js";
import { optimizerCases8bit } from "./optimizer-cases.js";
import { refuseCpuProfile, stepConstants, stepParams } from "./optimizer-step.js";

type Args = Ops["optimizerUpdate8bitBlockwise"]["in"];

const modules = [float32Text, float16Text, ruleText, floatsText, sharedText];

/** How a kernel shares its work among workgroups. */
interface Sharing {
  readonly name: string;
  readonly text: string;
  /** Elements of what a workgroup takes at a time. */
  unit(blockSize: number): number;
  /** Of these a workgroup takes at most so many, so that it loads the maps seldom. */
  readonly most: number;
}

const grouped: Sharing = {
  name: "optimizer_8bit_grouped",
  text: shader([...modules, groupedText]),
  unit: () => 1024,
  most: 16,
};

const looped: Sharing = {
  name: "optimizer_8bit_looped",
  text: shader([...modules, loopedText]),
  unit: (blockSize) => blockSize,
  most: 64,
};

const stateMapsText = shader([float32Text, mapsText]);

/** Workgroups that keep a large GPU busy: before there are so many, none takes more than one unit. */
const enoughWorkgroups = 2048;

/** Whether state1 and absmax1 have two rows. */
const isStacked = (optimizer: Optimizer): boolean => optimizer === "ademamix";

/** Ranges that start at a block, better at a multiple of 256 bytes of everything, scales included. */
function rangesOf({ param, blockSize }: Args, { pieceBytes }: Traits): Range[] {
  const block = Math.min(blockSize, param.size);
  const best = ranges(param.size, 4, pieceBytes, leastCommonMultiple(64 * block, 1024));
  return best.length > 0 ? best : ranges(param.size, 4, pieceBytes, leastCommonMultiple(block, 4));
}

function refuse(args: Args, traits: Traits): string | undefined {
  const { optimizer, param, absmax1, blockSize } = args;
  const { pieceBytes } = traits;
  const cpu = refuseCpuProfile(args);
  if (cpu !== undefined || param.size === 0) return cpu;
  if (rangesOf(args, traits).length === 0)
    return `blocks of ${blockSize} elements do not fit the ${pieceBytes} bytes that are bound at once.`;
  if (isStacked(optimizer) && absmax1.byteLength > pieceBytes)
    return `${absmax1.byteLength} bytes of absmax1 do not fit the ${pieceBytes} bytes that are bound at once.`;
  return undefined;
}

/** Values, midpoints and codes in order of value, of both maps. */
function stateMaps(launcher: Launcher, { code1, code2, profile }: Args): Storage {
  const maps = launcher.scratch(2 * 768 * 4);
  launcher.run({
    kernel: "state_maps",
    text: stateMapsText,
    constants: { keeps_order: profile === "cuda" ? 1 : 0 },
    params: new Uint32Array(1),
    reads: [storageOf(code1), storageOf(code2 ?? code1)],
    writes: [maps],
    workgroups: 2,
  });
  return maps;
}

function launch(launcher: Launcher, args: Args, sharing: Sharing): void {
  if (args.param.size === 0) return;
  const parts = rangesOf(args, launcher.traits);
  const maps = stateMaps(launcher, args);
  const slow = slowRow(launcher, args, parts);
  slow.begin();
  for (const range of parts) update(launcher, args, sharing, range, maps, slow.of(range));
  slow.end();
}

interface SlowRow {
  of(range: Range): Operand;
  /** Before and after the updates. */
  begin(): void;
  end(): void;
}

/** The second row of AdEMAMix's state1. One that starts inside a word is moved to a place of its own, and back. */
function slowRow(launcher: Launcher, { optimizer, param, state1 }: Args, parts: readonly Range[]): SlowRow {
  const nothing = () => undefined;
  const [both, { size }] = [storageOf(state1), param];
  if (!isStacked(optimizer)) return { of: () => launcher.scratch(4), begin: nothing, end: nothing };
  if (size % 4 === 0) return { of: (range) => sliceOf(both, behind(range, size), 8), begin: nothing, end: nothing };
  const row = launcher.scratch(size);
  const places = parts.map(({ from, to }) => ({
    there: { storage: both, offset: size + from },
    here: { storage: row, offset: from },
    count: to - from,
  }));
  return {
    of: (range) => sliceOf(row, range, 8),
    begin: () => places.forEach(({ there, here, count }) => void launcher.run(moveBytes(there, here, count))),
    end: () => places.forEach(({ there, here, count }) => void launcher.run(moveBytes(here, there, count))),
  };
}

function update(launcher: Launcher, args: Args, sharing: Sharing, range: Range, maps: Storage, slow: Operand): void {
  const { optimizer, param, grad, state1, state2, absmax1, absmax2, blockSize, profile } = args;
  const stacked = isStacked(optimizer);
  const blocks = { from: range.from / blockSize, to: Math.ceil(range.to / blockSize) };
  const size = range.to - range.from;
  const units = Math.ceil(size / sharing.unit(blockSize));
  const tiles = Math.min(sharing.most, Math.ceil(units / enoughWorkgroups));
  const state = (tensor: Tensor | undefined, of: Range, bits: number) =>
    tensor ? sliceOf(storageOf(tensor), of, bits) : launcher.scratch(4);
  launcher.run({
    kernel: sharing.name,
    text: sharing.text,
    constants: stepConstants(args),
    params: stepParams(args, {
      size,
      clearsNonFinite: profile === "cuda" && state2 !== undefined,
      blockSize: Math.min(blockSize, 0xffffffff),
      // Both rows of stacked maxima are bound as one.
      firstBlock: stacked ? blocks.from : 0,
      firstSlowBlock: stacked ? absmax1.size / 2 + blocks.from : 0,
      tiles,
    }),
    reads: [sliceOf(storageOf(grad), range, floatBits(grad.dtype)), maps],
    writes: [
      sliceOf(storageOf(param), range, floatBits(param.dtype)),
      state(state1, range, 8),
      slow,
      state(state2, range, 8),
      stacked ? storageOf(absmax1) : state(absmax1, blocks, 32),
      state(absmax2, blocks, 32),
    ],
    workgroups: Math.ceil(units / tiles),
  });
}

const isGrouped = (blockSize: number): boolean =>
  blockSize >= 4 && blockSize <= 1024 && Number.isInteger(Math.log2(blockSize));

const kernelOf = (
  sharing: Sharing,
  refuseSize: (blockSize: number) => string | undefined,
): Kernel<"optimizerUpdate8bitBlockwise"> => ({
  name: sharing.name,
  refuse: (args, traits) => refuse(args, traits) ?? refuseSize(args.blockSize),
  variants: [{ name: "t0", needs: [], launch: (launcher, args) => launch(launcher, args, sharing) }],
});

export const optimizerUpdate8bitBlockwise: Operation<"optimizerUpdate8bitBlockwise"> = {
  kernels: [
    kernelOf(grouped, (blockSize) =>
      isGrouped(blockSize) ? undefined : `blocks of ${blockSize} elements are for optimizer_8bit_looped.`,
    ),
    kernelOf(looped, () => undefined),
  ],
  cases: optimizerCases8bit,
};
