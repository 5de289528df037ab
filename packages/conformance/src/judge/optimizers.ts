/** optim.*: every step runs from the vector's previous state, so that an error shows in the step that makes it. */
import { ademamixSchedule, type Optimizer, type Step, type Tensor } from "@halfbyte/core";
import { isRecord } from "../golden/side-car.js";
import { stateCodes, tolerance } from "../tolerance.js";
import { differenceInCodes } from "./compare.js";
import { type Elements, elementsOf, readElements, type Stored, widthOf } from "./elements.js";
import { invalidCase, type Trial, type Verdict, type Verdicts } from "./trial.js";

export async function* optimizer(trial: Trial): Verdicts {
  for (let step = 1; step <= trial.number("steps"); step++) {
    yield* trial.has("qmap1") ? step8bit(trial, step) : step32bit(trial, step);
  }
}

async function* step32bit(trial: Trial, step: number): Verdicts {
  const updated = run32bit(trial, step);
  yield* parameter(trial, step, updated.param);
  for (const [name, tensor] of Object.entries(updated.states)) {
    yield trial.close(`${name}.${step}`, await readElements(tensor), tolerance.optimizerState);
  }
  const norm = `unorm_vec.${step}`;
  if (trial.wants(norm)) yield trial.close(norm, await readElements(updated.updateNorm), tolerance.optimizerState);
}

function run32bit(trial: Trial, step: number) {
  const param = trial.uploadFloat(parameterBefore(trial, step));
  const states = existing(trial, step, ["state1", "state2"], "float32");
  const { updateNorm } = trial.run("optimizerUpdate32bit", {
    optimizer: optimizerOf(trial),
    param,
    grad: trial.float(`grad${step}`),
    state1: required(states, "state1"),
    ...optional(states, "state2"),
    step: stepOf(trial, step),
    profile: trial.profile,
  });
  return { param, states, updateNorm };
}

async function* step8bit(trial: Trial, step: number): Verdicts {
  const updated = run8bit(trial, step);
  yield* parameter(trial, step, updated.param);
  for (const [name, tensor] of Object.entries(updated.absmax)) {
    yield trial.close(`${name}.${step}`, await readElements(tensor), tolerance.optimizerState);
  }
  yield* codes(trial, step, updated.states);
  const norm = `unorm_vec.${step}`;
  // Upstream keeps the update norm of LAMB and LARS at zero in 8 bit: there is no trust ratio and no output for it.
  if (trial.wants(norm)) yield trial.bits(norm, elementsOf("float32", new Float32Array(1)));
}

function run8bit(trial: Trial, step: number) {
  const param = trial.uploadFloat(parameterBefore(trial, step));
  const states = existing(trial, step, ["state1", "state2"], "uint8");
  const absmax = existing(trial, step, ["absmax1", "absmax2"], "float32");
  trial.run("optimizerUpdate8bitBlockwise", {
    optimizer: optimizerOf(trial),
    param,
    grad: trial.float(`grad${step}`),
    state1: required(states, "state1"),
    absmax1: required(absmax, "absmax1"),
    code1: trial.upload("float32", trial.input("qmap1")),
    ...optional(states, "state2"),
    ...optional(absmax, "absmax2"),
    ...(trial.has("qmap2") ? { code2: trial.upload("float32", trial.input("qmap2")) } : {}),
    blockSize: trial.number("blocksize"),
    step: stepOf(trial, step),
    profile: trial.profile,
  });
  return { param, states, absmax };
}

/** p<k>: relative and absolute in float32; one ulp where the parameter has 16 bits. */
async function* parameter(trial: Trial, step: number, param: Tensor): Verdicts {
  const found = await readElements(param);
  const wide = widthOf(found.dtype) === 4;
  const output = `p${step}`;
  yield wide ? trial.close(output, found, tolerance.parameter) : trial.ulps(output, found, tolerance.parameter16bit);
}

/** 8-bit codes, against the vector under `cpu`, else against the reference kernels from the same state. */
async function* codes(trial: Trial, step: number, states: Readonly<Record<string, Tensor>>): Verdicts {
  const reference = trial.profile === "cpu" ? undefined : run8bit(await trial.reference(), step).states;
  for (const [name, tensor] of Object.entries(states)) {
    const output = `${name}.${step}`;
    const expected = reference ? await readElements(reference[name]!) : trial.expected(output);
    yield codeVerdict(output, expected, await readElements(tensor));
  }
}

const codeVerdict = (output: string, expected: Elements, found: Elements): Verdict => ({
  output,
  difference: differenceInCodes(expected, found, stateCodes),
});

const parameterBefore = (trial: Trial, step: number): Stored =>
  step === 1 ? trial.input("p0") : trial.expected(`p${step - 1}`);

/** The tensors among `names` that this optimizer has, as the vector holds them after the previous step; zeros before the first. */
function existing<D extends "float32" | "uint8">(trial: Trial, step: number, names: readonly string[], dtype: D) {
  const states: Record<string, Tensor<D>> = {};
  for (const name of names.filter((candidate) => trial.wants(`${candidate}.${step}`))) {
    const after = trial.expected(`${name}.${step}`);
    const before =
      step === 1 ? { ...after, bytes: new Uint8Array(after.bytes.length) } : trial.expected(`${name}.${step - 1}`);
    states[name] = trial.upload(dtype, before);
  }
  return states;
}

function required<D extends "float32" | "uint8">(states: Readonly<Record<string, Tensor<D>>>, name: string): Tensor<D> {
  const state = states[name];
  if (state) return state;
  throw invalidCase(`an optimizer case without ${name}`);
}

const optional = <N extends string, T>(states: Readonly<Record<string, T>>, name: N): { [K in N]?: T } =>
  (name in states ? { [name]: states[name] } : {}) as { [K in N]?: T };

const optimizers: readonly Optimizer[] = [
  "adam",
  "adamw",
  "lamb",
  "ademamix",
  "momentum",
  "lars",
  "lion",
  "rmsprop",
  "adagrad",
];

function optimizerOf(trial: Trial): Optimizer {
  const name = trial.text("optimizer");
  const known = optimizers.find((optimizer) => optimizer === name);
  if (known) return known;
  throw invalidCase(`optimizer ${name}`);
}

/** The parameter group of the case, at one step; what the group does not have is off. */
function stepOf(trial: Trial, step: number): Step {
  const group = trial.record.params["group"];
  if (!isRecord(group)) throw invalidCase("an optimizer case without group");
  const [beta1, beta2, beta3] = betasOf(group["betas"]);
  const [alpha, tAlpha, tBeta3] = [numberOr(group["alpha"], 0), ...schedule(group)];
  const scheduled = ademamixSchedule({ step, alpha, beta1, beta3, tAlpha, tBeta3 });
  return {
    ...scheduled,
    step,
    lr: numberOr(group["lr"], 0),
    beta1,
    beta2,
    eps: numberOr(group["eps"], 0),
    weightDecay: numberOr(group["weight_decay"], 0),
    gradScale: 1,
    maxUnorm: numberOr(trial.record.params["max_unorm"], 0),
    skipZeros: false,
  };
}

const schedule = (group: Readonly<Record<string, unknown>>): [number | null, number | null] => [
  typeof group["t_alpha"] === "number" ? group["t_alpha"] : null,
  typeof group["t_beta3"] === "number" ? group["t_beta3"] : null,
];

function betasOf(value: unknown): [number, number, number] {
  if (!Array.isArray(value)) throw invalidCase("an optimizer case without betas");
  return [numberOr(value[0], 0), numberOr(value[1], 0), numberOr(value[2], 0)];
}

const numberOr = (value: unknown, fallback: number): number => (typeof value === "number" ? value : fallback);
