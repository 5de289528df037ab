/**
 * The nine update rules as the specification writes them, in float64, one element at a time. No scalar is rounded, bias
 * corrections are applied to the moments themselves, so that it shares no shortcut with the reference kernels.
 */
import type { Optimizer, Step } from "@halfbyte/core";

export interface State {
  p: number;
  /** First moment, momentum, or sum of squares. */
  s1: number;
  /** Slow moment of AdEMAMix. */
  slow: number;
  /** Second moment. */
  s2: number;
}

/** New states and the direction u of p −= lr · trust · u; the parameter is left alone. */
type Rule = (state: State, g: number, step: Step) => { state: Partial<State>; direction: number };

const adam: Rule = ({ s1, s2 }, g, { beta1, beta2, eps, step }) => {
  const [m, v] = [beta1 * s1 + (1 - beta1) * g, beta2 * s2 + (1 - beta2) * g * g];
  const [mHat, vHat] = [m / (1 - beta1 ** step), v / (1 - beta2 ** step)];
  return { state: { s1: m, s2: v }, direction: mHat / (Math.sqrt(vHat) + eps) };
};

const ademamix: Rule = ({ s1, slow, s2 }, g, { beta1, beta2, beta3, alpha, eps, step }) => {
  const [m1, m2] = [beta1 * s1 + (1 - beta1) * g, beta3 * slow + (1 - beta3) * g];
  const v = beta2 * s2 + (1 - beta2) * g * g;
  const numerator = m1 / (1 - beta1 ** step) + alpha * m2;
  const denominator = Math.sqrt(v / (1 - beta2 ** step)) + eps;
  return { state: { s1: m1, slow: m2, s2: v }, direction: numerator / denominator };
};

const momentum: Rule = ({ p, s1 }, g, { beta1, weightDecay, step }) => {
  const decayed = g + weightDecay * p;
  const b = step === 1 ? decayed : beta1 * s1 + decayed;
  return { state: { s1: b }, direction: b };
};

const lion: Rule = ({ s1 }, g, { beta1, beta2 }) => ({
  state: { s1: beta2 * s1 + (1 - beta2) * g },
  direction: Math.sign(beta1 * s1 + (1 - beta1) * g),
});

const rmsprop: Rule = ({ p, s1 }, g, { beta1, eps, weightDecay }) => {
  const decayed = g + weightDecay * p;
  const s = beta1 * s1 + (1 - beta1) * decayed ** 2;
  return { state: { s1: s }, direction: decayed / (Math.sqrt(s) + eps) };
};

const adagrad: Rule = ({ p, s1 }, g, { eps, weightDecay }) => {
  const decayed = g + weightDecay * p;
  const s = s1 + decayed ** 2;
  return { state: { s1: s }, direction: decayed / (Math.sqrt(s) + eps) };
};

const rules: Record<Optimizer, Rule> = {
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

export const optimizers = Object.keys(rules) as Optimizer[];
export const hasSecondState = (optimizer: Optimizer): boolean => rules[optimizer] === adam || optimizer === "ademamix";
const isDecoupled = (optimizer: Optimizer): boolean => hasSecondState(optimizer) || optimizer === "lion";

export interface Options {
  readonly trust?: number;
  /** Decoupled decay after the update, as the CUDA source does for Adam and AdEMAMix. */
  readonly decayAfter?: boolean;
}

/** One step of one element. */
export function advance(
  optimizer: Optimizer,
  state: State,
  grad: number,
  step: Step,
  { trust = 1, decayAfter = false }: Options = {},
): State {
  const { state: next, direction } = rules[optimizer](state, step.gradScale * grad, step);
  const decay = isDecoupled(optimizer) ? 1 - step.lr * step.weightDecay : 1;
  const move = step.lr * trust * direction;
  return { ...state, ...next, p: decayAfter ? (state.p - move) * decay : state.p * decay - move };
}

/** The direction alone. */
export const directionOf = (optimizer: Optimizer, state: State, grad: number, step: Step): number =>
  rules[optimizer](state, step.gradScale * grad, step).direction;
