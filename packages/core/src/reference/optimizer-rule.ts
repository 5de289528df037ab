/**
 * The nine update rules of bitsandbytes, element by element, in f32 (specification: optimizers; bitsandbytes
 * backends/cpu/ops.py). Scalars such as 1 − β and lr/c1 are computed in float64 and rounded once. Decoupled decay comes before
 * the update, after it under profile `cuda`. Sums of a product are fused where torch fuses them (addcmul, add with alpha), which
 * reproduces every 32-bit state of the golden vectors to the bit.
 */
import type { Optimizer, Profile, Step } from "../kernels.js";
import { fusedMultiplyAdd as fma } from "./float32.js";

const fr = Math.fround;

/** One element on its way through a step: parameter, gradient, up to three states. */
export interface Element {
  p: number;
  g: number;
  /** First moment, momentum or squared sum. */
  s1: number;
  /** Second, slow moment of AdEMAMix. */
  slow: number;
  /** Second moment. */
  s2: number;
}

/** Updates the states and returns the direction whose norm a trust ratio compares with the parameter's. */
export type UpdateStates = (element: Element) => number;

export interface Rule {
  /** state2 exists. */
  readonly twoStates: boolean;
  /** state1 is stacked [2, …]. */
  readonly stacked: boolean;
  updateStates: UpdateStates;
  /** Multiplies the direction: p −= rate · trust · direction. */
  readonly rate: number;
  /** Factor of decoupled decay, 1 for none. */
  readonly decay: number;
  readonly decayAfter: boolean;
  /** Scaled by the trust ratio when maxUnorm > 0. */
  readonly trusted: boolean;
}

/** Names of the states every optimizer keeps. */
export const optimizerStates: Readonly<Record<Optimizer, { twoStates: boolean; stacked: boolean }>> = {
  adam: { twoStates: true, stacked: false },
  adamw: { twoStates: true, stacked: false },
  lamb: { twoStates: true, stacked: false },
  ademamix: { twoStates: true, stacked: true },
  momentum: { twoStates: false, stacked: false },
  lars: { twoStates: false, stacked: false },
  lion: { twoStates: false, stacked: false },
  rmsprop: { twoStates: false, stacked: false },
  adagrad: { twoStates: false, stacked: false },
};

/** No path of upstream scales these; its CPU path forgets Lion as well. */
const untrusted: readonly Optimizer[] = ["ademamix", "adagrad"];

export function ruleOf(optimizer: Optimizer, step: Step, profile: Profile): Rule {
  const decoupled = ["adam", "adamw", "lamb", "ademamix", "lion"].includes(optimizer);
  return {
    ...optimizerStates[optimizer],
    updateStates: stateUpdates[optimizer](step),
    rate: fr(isAdam(optimizer) ? step.lr * adamCorrection(step) : step.lr),
    decay: decoupled && step.weightDecay > 0 ? fr(1 - step.lr * step.weightDecay) : 1,
    // Lion decays first in the CUDA source too.
    decayAfter: profile === "cuda" && optimizer !== "lion",
    trusted: !(untrusted.includes(optimizer) || (profile === "cpu" && optimizer === "lion")),
  };
}

export const isAdam = (optimizer: Optimizer): boolean =>
  optimizer === "adam" || optimizer === "adamw" || optimizer === "lamb";

/** c2 / c1: what bias correction does to an Adam step. */
export const adamCorrection = ({ beta1, beta2, step }: Step): number =>
  Math.sqrt(1 - beta2 ** step) / (1 - beta1 ** step);

/** The scalars of Adam-like rules, rounded to f32. */
function adamScalars({ beta1, beta2, step, eps }: Step) {
  return {
    b1: fr(beta1),
    oneMinusB1: fr(1 - beta1),
    b2: fr(beta2),
    oneMinusB2: fr(1 - beta2),
    c2: fr(Math.sqrt(1 - beta2 ** step)),
    eps: fr(eps),
  };
}

/** A running mean: fma(x, 1 − β, fr(mean · β)). */
const blend = (mean: number, beta: number, x: number, oneMinus: number): number => fma(x, oneMinus, fr(mean * beta));

/** A running mean of squares: fma(fr((1 − β) · x), x, fr(mean · β)). */
const blendSquare = (mean: number, beta: number, x: number, oneMinus: number): number =>
  fma(fr(oneMinus * x), x, fr(mean * beta));

/** m / (√v + eps · c2); the factor c2 / c1 is part of the rate. */
function adam(step: Step): UpdateStates {
  const { b1, oneMinusB1, b2, oneMinusB2 } = adamScalars(step);
  const eps = fr(step.eps * Math.sqrt(1 - step.beta2 ** step.step));
  return (e) => {
    e.s1 = blend(e.s1, b1, e.g, oneMinusB1);
    e.s2 = blendSquare(e.s2, b2, e.g, oneMinusB2);
    return fr(e.s1 / fr(fr(Math.sqrt(e.s2)) + eps));
  };
}

/** (m1 / c1 + α · m2) / (√v / c2 + eps), arXiv 2409.03137. */
function ademamix(step: Step): UpdateStates {
  const { b1, oneMinusB1, b2, oneMinusB2, c2, eps } = adamScalars(step);
  const b3 = fr(step.beta3);
  const oneMinusB3 = fr(1 - step.beta3);
  const c1 = fr(1 - step.beta1 ** step.step);
  const alpha = fr(step.alpha);
  return (e) => {
    e.s1 = blend(e.s1, b1, e.g, oneMinusB1);
    e.slow = blend(e.slow, b3, e.g, oneMinusB3);
    e.s2 = blendSquare(e.s2, b2, e.g, oneMinusB2);
    const numerator = fma(alpha, e.slow, fr(e.s1 / c1));
    return fr(numerator / fr(fr(fr(Math.sqrt(e.s2)) / c2) + eps));
  };
}

/** The first step takes the gradient itself. */
function momentum({ beta1, weightDecay, step }: Step): UpdateStates {
  const b1 = fr(beta1);
  const decay = fr(weightDecay);
  return (e) => {
    const g = coupled(e, decay);
    e.s1 = step === 1 ? g : fr(fr(e.s1 * b1) + g);
    return e.s1;
  };
}

/** The sign of a blend, then the momentum (arXiv 2302.06675). */
function lion({ beta1, beta2 }: Step): UpdateStates {
  const [b1, oneMinusB1, b2, oneMinusB2] = [fr(beta1), fr(1 - beta1), fr(beta2), fr(1 - beta2)];
  return (e) => {
    const direction = Math.sign(blend(e.s1, b1, e.g, oneMinusB1));
    e.s1 = blend(e.s1, b2, e.g, oneMinusB2);
    return direction;
  };
}

function rmsprop({ beta1, eps, weightDecay }: Step): UpdateStates {
  const [b1, oneMinusB1, epsilon, decay] = [fr(beta1), fr(1 - beta1), fr(eps), fr(weightDecay)];
  return (e) => {
    const g = coupled(e, decay);
    e.s1 = blendSquare(e.s1, b1, g, oneMinusB1);
    return fr(g / fr(fr(Math.sqrt(e.s1)) + epsilon));
  };
}

function adagrad({ eps, weightDecay }: Step): UpdateStates {
  const [epsilon, decay] = [fr(eps), fr(weightDecay)];
  return (e) => {
    const g = coupled(e, decay);
    e.s1 = fma(g, g, e.s1);
    return fr(g / fr(fr(Math.sqrt(e.s1)) + epsilon));
  };
}

/** Coupled decay: the gradient plus wd · p. */
const coupled = (e: Element, decay: number): number => (decay === 0 ? e.g : fma(e.p, decay, e.g));

const stateUpdates: Readonly<Record<Optimizer, (step: Step) => UpdateStates>> = {
  adam,
  adamw: adam,
  lamb: adam,
  ademamix,
  momentum,
  lars: momentum,
  lion,
  rmsprop,
  adagrad,
};

/** Applies a direction: decay, then p −= rate · trust · direction. */
export function applyDirection(rule: Rule, p: number, direction: number, trust: number): number {
  const rate = trust === 1 ? rule.rate : fr(rule.rate * trust);
  const decayed = rule.decayAfter ? p : fr(p * rule.decay);
  const moved = fma(-rate, direction, decayed);
  return rule.decayAfter ? fr(moved * rule.decay) : moved;
}
