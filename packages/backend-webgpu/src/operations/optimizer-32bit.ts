/** optimizerUpdate32bit: one kernel, after two that measure norms where a trust ratio is asked for. */
import { type Float, type Ops, type Storage, storageOf, type Tensor } from "@halfbyte/core";
import type { Operand } from "../dispatch.js";
import { shader } from "../shader.js";
import { type Range, ranges, sliceOf } from "../slices.js";
import float16Text from "../wgsl/float16.wgsl";
import float32Text from "../wgsl/float32.wgsl";
import updateText from "../wgsl/optimizer_32bit.wgsl";
import floatsText from "../wgsl/optimizer_floats.wgsl";
import normsText from "../wgsl/optimizer_norms.wgsl";
import ruleText from "../wgsl/optimizer_rule.wgsl";
import trustText from "../wgsl/optimizer_trust.wgsl";
import type { Launcher, Operation } from "./operation.js";
import { refuseCpuProfile, stepConstants, stepParams, trustParams } from "./optimizer-step.js";

type Args = Ops["optimizerUpdate32bit"]["in"];

const modules = [float32Text, float16Text, ruleText, floatsText];
const texts = {
  update: shader([...modules, updateText]),
  norms: shader([...modules, normsText]),
  trust: shader([float32Text, trustText]),
};

/** Elements of a workgroup of the update. */
const elementsPerWorkgroup = 512;
/** Workgroups that measure a slice, at most; partial sums take 16 bytes each. */
const normWorkgroups = 1024;
const normElements = 8192;

/** What stands where a rule has no state: bound, and never touched. */
const standIn = (launcher: Launcher): Storage => launcher.scratch(4);

export const floatBits = (dtype: Float): number => (dtype === "float32" ? 32 : 16);

/** The tensors of a launch in one range of elements. */
interface Part {
  readonly range: Range;
  readonly grad: Operand;
  readonly param: Operand;
  readonly state1: Operand;
  readonly slow: Operand;
  readonly state2: Operand;
}

function partsOf(launcher: Launcher, { optimizer, param, grad, state1, state2 }: Args): Part[] {
  const [first, second] = [storageOf(state1), state2 && storageOf(state2)];
  const slice = (tensor: Tensor<Float>, range: Range) => sliceOf(storageOf(tensor), range, floatBits(tensor.dtype));
  return ranges(param.size, 4, launcher.traits.pieceBytes, 64).map((range) => ({
    range,
    grad: slice(grad, range),
    param: slice(param, range),
    state1: sliceOf(first, range, 32),
    slow: optimizer === "ademamix" ? sliceOf(first, behind(range, param.size), 32) : standIn(launcher),
    state2: second ? sliceOf(second, range, 32) : standIn(launcher),
  }));
}

export const behind = ({ from, to }: Range, offset: number): Range => ({ from: offset + from, to: offset + to });

function launch(launcher: Launcher, args: Args, { updateNorm }: Ops["optimizerUpdate32bit"]["out"]): void {
  const parts = args.param.size > 0 ? partsOf(launcher, args) : [];
  const norm = storageOf(updateNorm);
  const measures = args.step.maxUnorm > 0 || parts.length === 0;
  const trust = measures ? measure(launcher, args, parts, norm) : standIn(launcher);
  for (const part of parts) update(launcher, args, part, trust, measures ? standIn(launcher) : norm);
}

function update(launcher: Launcher, args: Args, part: Part, trust: Storage, norm: Storage): void {
  const { grad, param, state1, slow, state2 } = part;
  const size = part.range.to - part.range.from;
  const words = { size, usesTrust: args.step.maxUnorm > 0, clearsNorm: !(args.step.maxUnorm > 0) };
  launcher.run({
    kernel: "optimizer_32bit",
    text: texts.update,
    constants: stepConstants(args),
    params: stepParams(args, words),
    reads: [grad, trust],
    writes: [param, state1, slow, state2, norm],
    workgroups: Math.ceil(size / elementsPerWorkgroup),
  });
}

/** Writes the norm of the update; gives the ratio that scales the rate. Of no elements the norm is 0. */
function measure(launcher: Launcher, args: Args, parts: readonly Part[], norm: Storage): Storage {
  const counts = parts.map(({ range }) => Math.min(normWorkgroups, Math.ceil((range.to - range.from) / normElements)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const [partials, trust] = [launcher.scratch(Math.max(1, total) * 16), launcher.scratch(4)];
  let firstPartial = 0;
  for (const [i, part] of parts.entries()) {
    measurePart(launcher, args, part, partials, counts[i]!, firstPartial);
    firstPartial += counts[i]!;
  }
  launcher.run({
    kernel: "optimizer_trust",
    text: texts.trust,
    constants: {},
    params: trustParams(args, total),
    reads: [partials],
    writes: [norm, trust],
    workgroups: 1,
  });
  return trust;
}

function measurePart(
  launcher: Launcher,
  args: Args,
  { range, grad, param, state1, slow, state2 }: Part,
  partials: Storage,
  workgroups: number,
  firstPartial: number,
): void {
  launcher.run({
    kernel: "optimizer_norms",
    text: texts.norms,
    constants: stepConstants(args),
    params: stepParams(args, { size: range.to - range.from, workgroups, firstPartial }),
    reads: [grad, param, state1, slow, state2],
    writes: [partials],
    workgroups,
  });
}

export const optimizerUpdate32bit: Operation<"optimizerUpdate32bit"> = {
  kernels: [
    {
      name: "optimizer_32bit",
      refuse: refuseCpuProfile,
      variants: [{ name: "t0", needs: [], launch }],
    },
  ],
};
