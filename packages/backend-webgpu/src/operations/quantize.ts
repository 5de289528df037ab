/**
 * quantize4bit and quantizeBlockwise: by integers alone, and so with the bits of the reference kernels on every adapter. It pays for data that is
 * on the GPU already; a file is quantized sooner where its bytes are, on the CPU.
 */
import {
  type Float,
  getFormat,
  type NonFinite,
  type OpName,
  type Ops,
  type Profile,
  type Storage,
  selfTestCase,
  storageOf,
  type Tensor,
} from "@halfbyte/core";
import { type Dispatch, params } from "../dispatch.js";
import { decisionOf, decisionWords } from "../exact/decision.js";
import { shader } from "../shader.js";
import { blockRanges, type Range, refuseBlocks, sliceOf } from "../slices.js";
import type { Traits } from "../traits.js";
import blockScaleText from "../wgsl/block_scale.wgsl";
import blockScalesText from "../wgsl/block_scales.wgsl";
import decision4bitText from "../wgsl/decision4bit.wgsl";
import encodeWordsText from "../wgsl/encode_words.wgsl";
import encode4bitText from "../wgsl/encode4bit.wgsl";
import encode8bitText from "../wgsl/encode8bit.wgsl";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import mapRuleText from "../wgsl/map_rule.wgsl";
import quantizeTaskText from "../wgsl/quantize_task.wgsl";
import quantizeTilesText from "../wgsl/quantize_tiles.wgsl";
import tileByScalingText from "../wgsl/tile_by_scaling.wgsl";
import tileByThresholdsText from "../wgsl/tile_by_thresholds.wgsl";
import type { Kernel, Launcher, Operation } from "./operation.js";

interface Job {
  readonly bits: 4 | 8;
  readonly x: Tensor<Float>;
  readonly blockSize: number;
  readonly profile: Profile;
  readonly nonFinite: NonFinite | undefined;
  /** Of a 4-bit table. */
  readonly decision: readonly number[];
  /** Of a map, as map_rule.wgsl makes it; a 4-bit kernel is bound to it and does not look at it. */
  readonly rule: Storage;
  readonly codes: Storage;
  readonly absmax: Storage;
}

const task = [float32Text, float16Text, quantizeTaskText, blockScaleText];
const encoders = { 4: [decision4bitText, encode4bitText], 8: [encode8bitText] } as const;
const mapRule = shader([float32Text, mapRuleText]);
const blockScales = shader([...task, blockScalesText]);
const words = {
  4: shader([...task, ...encoders[4], encodeWordsText]),
  8: shader([...task, ...encoders[8], encodeWordsText]),
} as const;
const tiles = {
  4: shader([...task, ...encoders[4], tileByThresholdsText, quantizeTilesText]),
  8: shader([...task, ...encoders[8], tileByScalingText, quantizeTilesText]),
} as const;

const lanes = 256;
const elementsPerLane = 8;
/** Of a block that is in one tile with others, or alone. */
const [leastOfTile, mostOfTile] = [32, lanes * elementsPerLane];

/** As quantize_task.wgsl numbers them. */
const types: readonly Float[] = ["float32", "float16", "bfloat16"];
const bitsOf = ({ dtype }: Tensor<Float>): number => (dtype === "float32" ? 32 : 16);
/** Bytes per element of the widest tensor: x, or the scales of small blocks. */
const widestOf = (x: Tensor<Float>, blockSize: number): number => Math.max(bitsOf(x) / 8, 4 / blockSize);
const rangesOf = ({ x, blockSize }: Job, { pieceBytes }: Traits): Range[] =>
  blockRanges(x.size, blockSize, widestOf(x, blockSize), pieceBytes);

type Bound = Pick<Dispatch, "text" | "kernel" | "reads" | "writes" | "workgroups">;

function run(launcher: Launcher, job: Job, groupShift: number, range: Range, faultIndex: number, bound: Bound): void {
  const { bits, x, blockSize, profile, decision } = job;
  const size = range.to - range.from;
  launcher.run({
    ...bound,
    constants: { is_cuda: profile === "cuda" ? 1 : 0, divides_tail: bits === 4 ? 1 : 0 },
    params: params(size, Math.min(blockSize, 0xffffffff), groupShift, faultIndex, ...decision, types.indexOf(x.dtype)),
  });
}

const blocksOf = ({ blockSize }: Job, { from, to }: Range): Range => ({
  from: from / blockSize,
  to: Math.ceil(to / blockSize),
});

function quantizeTiles(launcher: Launcher, job: Job): void {
  for (const range of rangesOf(job, launcher.traits)) {
    const fault = launcher.watch(job.nonFinite, range.from);
    run(launcher, job, Math.log2(job.blockSize / elementsPerLane), range, fault.index, {
      kernel: "quantize_tiles",
      text: tiles[job.bits],
      reads: [sliceOf(storageOf(job.x), range, bitsOf(job.x)), job.rule],
      writes: [sliceOf(job.codes, range, job.bits), sliceOf(job.absmax, blocksOf(job, range), 32), fault.storage],
      workgroups: Math.ceil((range.to - range.from) / mostOfTile),
    });
  }
}

function quantizeWords(launcher: Launcher, job: Job): void {
  for (const range of rangesOf(job, launcher.traits)) {
    const { index, storage } = launcher.watch(job.nonFinite, range.from);
    const x = sliceOf(storageOf(job.x), range, bitsOf(job.x));
    const blocks = blocksOf(job, range);
    const absmax = sliceOf(job.absmax, blocks, 32);
    const reciprocals = launcher.scratch(4 * (blocks.to - blocks.from));
    const groupShift = Math.min(8, Math.ceil(Math.log2(Math.max(1, job.blockSize / elementsPerLane))));
    run(launcher, job, groupShift, range, index, {
      kernel: "block_scales",
      text: blockScales,
      reads: [x],
      writes: [absmax, reciprocals, storage],
      workgroups: Math.ceil((blocks.to - blocks.from) / (lanes >> groupShift)),
    });
    run(launcher, job, groupShift, range, index, {
      kernel: "encode_words",
      text: words[job.bits],
      reads: [x, job.rule, absmax, reciprocals],
      writes: [sliceOf(job.codes, range, job.bits)],
      workgroups: Math.ceil((range.to - range.from) / mostOfTile),
    });
  }
}

type Quantization = "quantize4bit" | "quantizeBlockwise";
type JobOf<K extends OpName> = (launcher: Launcher, args: Ops[K]["in"], out: Ops[K]["out"]) => Job;

const isTiled = (blockSize: number): boolean =>
  blockSize >= leastOfTile && blockSize <= mostOfTile && Number.isInteger(Math.log2(blockSize));

function refuse({ x, blockSize, profile }: Ops[Quantization]["in"], { pieceBytes }: Traits): string | undefined {
  if (profile === "cpu") return "profile cpu is what core's reference kernels alone compute.";
  return refuseBlocks(x.size, blockSize, widestOf(x, blockSize), pieceBytes);
}

function kernelsOf<K extends Quantization>(jobOf: JobOf<K>): Kernel<K>[] {
  const launch =
    (quantize: (launcher: Launcher, job: Job) => void) =>
    (launcher: Launcher, args: Ops[K]["in"], out: Ops[K]["out"]): void => {
      if (args.x.size > 0) quantize(launcher, jobOf(launcher, args, out));
    };
  const refuseTiles = (args: Ops[K]["in"], traits: Traits): string | undefined =>
    refuse(args, traits) ??
    (isTiled(args.blockSize) ? undefined : `a tile holds blocks of 32, 64, … 2048 elements, not of ${args.blockSize}.`);
  return [
    {
      name: "quantize_tiles",
      refuse: refuseTiles,
      variants: [{ name: "t0", needs: [], launch: launch(quantizeTiles) }],
    },
    { name: "encode_words", refuse, variants: [{ name: "t0", needs: [], launch: launch(quantizeWords) }] },
  ];
}

const job4bit: JobOf<"quantize4bit"> = (
  launcher,
  { x, format, blockSize, profile = "reference", nonFinite },
  { codes, absmax },
) => ({
  bits: 4,
  x,
  blockSize,
  profile,
  nonFinite,
  decision: decisionWords(decisionOf(getFormat(format), profile)),
  rule: launcher.table(format),
  codes: storageOf(codes),
  absmax: storageOf(absmax),
});

const entries = 256;

/** Its map is sorted by a dispatch of its own. */
const jobBlockwise: JobOf<"quantizeBlockwise"> = (
  launcher,
  { x, code, blockSize, profile = "reference", nonFinite },
  { codes, absmax },
) => {
  const rule = launcher.scratch(2 * entries * 4);
  launcher.run({
    kernel: "map_rule",
    text: mapRule,
    constants: { is_cuda: profile === "cuda" ? 1 : 0 },
    params: params(0),
    reads: [storageOf(code)],
    writes: [rule],
    workgroups: 1,
  });
  const decision = [...Array<number>(18).fill(0), profile === "cuda" ? 0 : entries - 1];
  const task = { bits: 8, x, blockSize, profile, nonFinite, decision, rule } as const;
  return { ...task, codes: storageOf(codes), absmax: storageOf(absmax) };
};

/** Waves of many heights: neighbours differ, blocks too. */
const waves = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i) * 2 ** ((i >> 6) % 9));

export const quantize4bit: Operation<"quantize4bit"> = {
  kernels: kernelsOf(job4bit),
  cases: [
    selfTestCase("quantize4bit", 0, (backend) => ({
      x: backend.tensor("float32", [5001], waves(5001)),
      format: "nf4",
      blockSize: 4096,
    })),
  ],
};

export const quantizeBlockwise: Operation<"quantizeBlockwise"> = {
  kernels: kernelsOf(jobBlockwise),
  cases: [
    selfTestCase("quantizeBlockwise", 0, (backend) => ({
      x: backend.tensor("float32", [250], waves(250)),
      code: backend.tensor("float32", [256], getFormat("int8-blockwise").code),
      blockSize: 100,
    })),
  ],
};
