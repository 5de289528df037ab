/** Optimizer steps over whole tensors: f32 states, or 8-bit states decoded and encoded block by block. */
import { narrow, widen } from "../dtype.js";
import type { Optimizer, Profile, Step } from "../kernels.js";
import type { ArrayOf, Float } from "../tensor.js";
import { absmaxOf, scaleBlock } from "./block-scale.js";
import { decodeBlockwise } from "./dequantize.js";
import { type Encoder, encoderBlockwise } from "./encode.js";
import { adamCorrection, applyDirection, type Element, isAdam, type Rule, ruleOf } from "./optimizer-rule.js";
import type { Phase } from "./slice-queue.js";

const fr = Math.fround;
/** Elementary steps per element, for the slice queue. */
const elementCost = 12;

export interface OptimizerJob {
  readonly optimizer: Optimizer;
  readonly step: Step;
  readonly profile: Profile;
  readonly dtype: Float;
  readonly param: ArrayOf[Float];
  readonly grad: Float32Array;
}

export interface States32 {
  /** [n], or [2, n] when stacked. */
  readonly state1: Float32Array;
  readonly state2: Float32Array | undefined;
}

/** Reads element i of the states, runs the rule on it; returns the direction, or undefined when the element is skipped. */
function advance(
  job: OptimizerJob,
  rule: Rule,
  e: Element,
  p: number,
  grad: number,
  load: () => void,
): number | undefined {
  e.p = p;
  e.g = fr(fr(job.step.gradScale) * grad);
  if (job.step.skipZeros && e.g === 0) return undefined;
  load();
  return rule.updateStates(e);
}

const newElement = (): Element => ({ p: 0, g: 0, s1: 0, slow: 0, s2: 0 });

/** f32 states. With maxUnorm > 0 a first pass measures the norms; `updateNorm` gets the norm of the direction, else 0. */
export function update32bitPhases(job: OptimizerJob, states: States32, updateNorm: Float32Array): Phase[] {
  const rule = ruleOf(job.optimizer, job.step, job.profile);
  const size = job.grad.length;
  const params = new Float32Array(size);
  const load = (begin: number, end: number) => widen(job.dtype, job.param, begin, end, params.subarray(begin, end));
  const norms = { update: 0, param: 0 };
  const visit = stateVisitor(job, rule, params, states);
  const measure = (begin: number, end: number) => {
    for (let i = begin; i < end; i++) {
      const direction = normDirection(job, visit(i, false) ?? 0);
      norms.update += direction * direction;
      norms.param += params[i]! * params[i]!;
    }
  };
  const apply = (begin: number, end: number) => {
    if (begin === 0) updateNorm[0] = Math.sqrt(norms.update);
    const trust = trustRatio(job, rule, Math.sqrt(norms.update), Math.sqrt(norms.param));
    for (let i = begin; i < end; i++) {
      const direction = visit(i, true);
      if (direction !== undefined) params[i] = applyDirection(rule, params[i]!, direction, trust);
    }
    narrow(job.dtype, params.subarray(begin, end), end - begin, job.param, begin);
  };
  const passes = job.step.maxUnorm > 0 ? [load, measure, apply] : [load, apply];
  return passes.map((run) => ({ rows: size, rowCost: elementCost, run }));
}

/** Runs the rule on element i; writes the states back when `keep`. */
function stateVisitor(job: OptimizerJob, rule: Rule, params: Float32Array, { state1, state2 }: States32) {
  const e = newElement();
  const size = job.grad.length;
  return (i: number, keep: boolean): number | undefined => {
    const direction = advance(job, rule, e, params[i]!, job.grad[i]!, () => {
      e.s1 = state1[i]!;
      if (rule.stacked) e.slow = state1[size + i]!;
      if (state2) e.s2 = state2[i]!;
    });
    if (direction === undefined || !keep) return direction;
    state1[i] = e.s1;
    if (rule.stacked) state1[size + i] = e.slow;
    if (state2) state2[i] = e.s2;
    return direction;
  };
}

/** Adam's and LAMB's trust ratio looks at m / (√v + eps·c2); CUDA's, one kernel for all of them, at the bias-corrected direction. */
const normDirection = ({ optimizer, profile, step }: OptimizerJob, direction: number): number =>
  profile === "cuda" && isAdam(optimizer) ? direction * adamCorrection(step) : direction;

/** max·P/U when U exceeds it, else 1; one-state rules add eps to the bound, which upstream's CPU path forgets. */
function trustRatio({ step, profile }: OptimizerJob, rule: Rule, update: number, param: number): number {
  const slack = rule.twoStates || profile === "cpu" ? 0 : step.eps;
  const bound = step.maxUnorm * param + slack;
  return rule.trusted && step.maxUnorm > 0 && update > bound ? fr(bound / update) : 1;
}

export interface States8 {
  readonly state1: Uint8Array;
  readonly state2: Uint8Array | undefined;
  readonly code1: Float32Array;
  readonly code2: Float32Array | undefined;
  readonly absmax1: Float32Array;
  readonly absmax2: Float32Array | undefined;
  readonly blockSize: number;
}

/** 8-bit states: per block decode with the old absmax, update, move the parameter, encode with the new absmax. */
export function update8bitPhases(job: OptimizerJob, states: States8): Phase[] {
  const rule = ruleOf(job.optimizer, job.step, job.profile);
  const size = job.grad.length;
  const blocks = Math.ceil(size / states.blockSize);
  const first = new StateBlocks(
    states.state1.subarray(0, size),
    states.absmax1.subarray(0, blocks),
    states.code1,
    states.blockSize,
    job.profile,
  );
  const slow = rule.stacked
    ? new StateBlocks(
        states.state1.subarray(size),
        states.absmax1.subarray(blocks),
        states.code1,
        states.blockSize,
        job.profile,
      )
    : undefined;
  const second = states.state2
    ? new StateBlocks(states.state2, states.absmax2!, states.code2!, states.blockSize, job.profile)
    : undefined;
  const params = new Float32Array(states.blockSize);
  const run = (begin: number, end: number) => {
    for (let block = begin; block < end; block++) updateBlock(job, rule, block, params, first, slow, second);
  };
  return [{ rows: blocks, rowCost: states.blockSize * elementCost, run }];
}

function updateBlock(
  job: OptimizerJob,
  rule: Rule,
  block: number,
  params: Float32Array,
  first: StateBlocks,
  slow: StateBlocks | undefined,
  second: StateBlocks | undefined,
): void {
  const begin = block * params.length;
  const count = Math.min(params.length, job.grad.length - begin);
  // Encoding again what was decoded may change it: a block that is skipped as a whole keeps its bytes.
  if (job.step.skipZeros && job.grad.subarray(begin, begin + count).every((value) => value === 0)) return;
  for (const state of [first, slow, second]) state?.decode(block, count);
  widen(job.dtype, job.param, begin, begin + count, params);
  const e = newElement();
  for (let i = 0; i < count; i++) {
    const direction = skipsNonFinite(job, rule, job.grad[begin + i]!)
      ? clearStates(i, first, slow, second)
      : advance(job, rule, e, params[i]!, job.grad[begin + i]!, () => loadStates(e, i, first, slow, second));
    if (direction === undefined) continue;
    storeStates(e, i, first, slow, second);
    params[i] = applyDirection(rule, params[i]!, direction, 1);
  }
  narrow(job.dtype, params, count, job.param, begin);
  for (const state of [first, slow, second]) state?.encode(block, count);
}

/** Two-state CUDA kernels leave the parameter alone where the gradient is NaN or Infinity. */
const skipsNonFinite = (job: OptimizerJob, rule: Rule, grad: number): boolean =>
  job.profile === "cuda" && rule.twoStates && !Number.isFinite(grad);

function clearStates(
  i: number,
  first: StateBlocks,
  slow: StateBlocks | undefined,
  second: StateBlocks | undefined,
): undefined {
  for (const state of [first, slow, second]) if (state) state.values[i] = 0;
  return undefined;
}

function loadStates(
  e: Element,
  i: number,
  first: StateBlocks,
  slow: StateBlocks | undefined,
  second: StateBlocks | undefined,
): void {
  e.s1 = first.values[i]!;
  e.slow = slow ? slow.values[i]! : 0;
  e.s2 = second ? second.values[i]! : 0;
}

function storeStates(
  e: Element,
  i: number,
  first: StateBlocks,
  slow: StateBlocks | undefined,
  second: StateBlocks | undefined,
): void {
  first.values[i] = e.s1;
  if (slow) slow.values[i] = e.slow;
  if (second) second.values[i] = e.s2;
}

/** One 8-bit state, a block of it decoded at a time. */
class StateBlocks {
  readonly values: Float32Array;
  readonly #encode: Encoder;
  readonly #signed: Float32Array;

  constructor(
    readonly codes: Uint8Array,
    readonly absmax: Float32Array,
    readonly code: Float32Array,
    readonly blockSize: number,
    readonly profile: Profile,
  ) {
    this.values = new Float32Array(blockSize);
    this.#signed = new Float32Array(blockSize);
    this.#encode = encoderBlockwise(code, profile);
  }

  decode(block: number, count: number): void {
    const begin = block * this.blockSize;
    decodeBlockwise(this.codes, this.absmax, this.code, this.blockSize, begin, begin + count, this.values);
  }

  encode(block: number, count: number): void {
    const codes = this.codes.subarray(block * this.blockSize, block * this.blockSize + count);
    this.#signed.set(this.values);
    this.absmax[block] = scaleBlock(this.values, count, false, { profile: this.profile, dividesTail: false });
    if (this.profile !== "reference" && absmaxOf(this.values, count, true) === 0) codes.fill(0);
    else this.#encode(this.values, count, codes);
    if (this.profile === "cuda") this.#keepSigns(codes, count);
  }

  /** CUDA moves a code whose sign bit differs from the state's one step toward it. */
  #keepSigns(codes: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) {
      const state = this.#signed[i]!;
      if (isNegative(this.code[codes[i]!]!) === isNegative(state)) continue;
      codes[i] = Math.max(0, Math.min(255, codes[i]! + (state > 0 ? 1 : -1)));
    }
  }
}

const isNegative = (value: number): boolean => value < 0 || Object.is(value, -0);
