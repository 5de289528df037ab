/** What the optimizer kernels are told of a step: its scalars, computed in float64 and rounded once, as the reference does. */
import { adamCorrection, type Float, isAdam, type Optimizer, type Profile, ruleOf, type Step } from "@halfbyte/core";
import { float, params } from "../dispatch.js";

export interface Update {
  readonly optimizer: Optimizer;
  readonly param: { readonly dtype: Float };
  readonly grad: { readonly dtype: Float };
  readonly step: Step;
  readonly profile?: Profile | undefined;
}

/** `rule` of optimizer_rule.wgsl, and its `one_state`. */
interface Rule {
  readonly rule: number;
  readonly oneState: number;
}

const rules: Readonly<Record<Optimizer, Rule>> = {
  adam: { rule: 0, oneState: 0 },
  adamw: { rule: 0, oneState: 0 },
  lamb: { rule: 0, oneState: 0 },
  ademamix: { rule: 1, oneState: 0 },
  momentum: { rule: 2, oneState: 0 },
  lars: { rule: 2, oneState: 0 },
  lion: { rule: 2, oneState: 1 },
  rmsprop: { rule: 2, oneState: 2 },
  adagrad: { rule: 2, oneState: 3 },
};

const typeNumbers: Readonly<Record<Float, number>> = { float32: 0, float16: 1, bfloat16: 2 };

/** Few, so that few kernels are compiled. */
export const stepConstants = ({ optimizer, param }: Update) => ({
  rule: rules[optimizer].rule,
  param_is_wide: param.dtype === "float32" ? 1 : 0,
});

/** Words of the struct that belong to one kernel; those that are left out are 0. */
export interface KernelWords {
  readonly size: number;
  readonly usesTrust?: boolean;
  readonly clearsNorm?: boolean;
  readonly clearsNonFinite?: boolean;
  readonly workgroups?: number;
  readonly firstPartial?: number;
  readonly blockSize?: number;
  readonly firstBlock?: number;
  readonly firstSlowBlock?: number;
  readonly tiles?: number;
}

const flag = (value: boolean | undefined): number => (value ? 1 : 0);

/** The struct `Params` of optimizer_rule.wgsl. */
export function stepParams(update: Update, words: KernelWords): Uint32Array {
  const { optimizer, param, grad, step, profile = "reference" } = update;
  const rule = ruleOf(optimizer, step, profile);
  return params(
    words.size,
    rules[optimizer].oneState,
    typeNumbers[param.dtype],
    typeNumbers[grad.dtype],
    flag(step.skipZeros),
    flag(step.step === 1),
    flag(rule.decayAfter),
    flag(profile === "cuda"),
    flag(words.clearsNonFinite),
    0,
    float(1 + 2 ** -12),
    float(1 + 2 ** -11),
    ...scalars(update).map(float),
    float(rule.decay),
    float(rule.rate),
    flag(words.usesTrust),
    flag(words.clearsNorm),
    float(profile === "cuda" && isAdam(optimizer) ? adamCorrection(step) : 1),
    words.workgroups ?? 0,
    words.firstPartial ?? 0,
    words.blockSize ?? 0,
    words.firstBlock ?? 0,
    words.firstSlowBlock ?? 0,
    words.tiles ?? 0,
  );
}

/** From grad_scale to coupled_decay. Adam's eps carries the correction that its rate lacks. */
function scalars({ optimizer, step }: Update): number[] {
  const { beta1, beta2, beta3, alpha, eps, weightDecay } = step;
  const correction2 = Math.sqrt(1 - beta2 ** step.step);
  return [
    step.gradScale,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    beta3,
    1 - beta3,
    alpha,
    1 - beta1 ** step.step,
    correction2,
    isAdam(optimizer) ? eps * correction2 : eps,
    weightDecay,
  ];
}

/** The struct of optimizer_trust.wgsl. Rules with one state add eps to the bound. */
export function trustParams({ optimizer, step, profile = "reference" }: Update, partials: number): Uint32Array {
  const { trusted, twoStates } = ruleOf(optimizer, step, profile);
  return params(partials, flag(trusted), float(step.maxUnorm), float(twoStates ? 0 : step.eps));
}

/** Only the reference kernels know the rules of upstream's CPU path. */
export const refuseCpuProfile = ({ profile }: { readonly profile?: Profile | undefined }): string | undefined =>
  profile === "cpu" ? 'profile "cpu" exists in the reference kernels only.' : undefined;
