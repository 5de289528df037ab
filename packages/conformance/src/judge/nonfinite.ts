/**
 * NaN, Infinity and subnormal inputs (quirks/nonfinite). By default a quantizer rejects what is not finite and names the
 * lowest flat index; with `propagate` it computes what upstream does, where upstream's result is defined.
 */
import { createDynamicMap, isHalfbyteError, type Tensor } from "@halfbyte/core";
import { type Difference, differenceInText } from "./compare.js";
import { numbersOf, readElements } from "./elements.js";
import type { Trial, Verdict, Verdicts } from "./trial.js";

/** Flat index of the first NaN or Infinity of input A, −1 when there is none. */
export const firstNonFinite = (trial: Trial): number =>
  numbersOf(trial.input("A")).findIndex((value) => !Number.isFinite(value));

export async function* nonFinite4bit(trial: Trial): Verdicts {
  const args = { format: trial.text("quant_type"), blockSize: trial.number("blocksize"), profile: trial.profile };
  const refused = trial.run("quantize4bit", { ...args, x: trial.float("A") });
  yield* refusal(trial, { packed: refused.codes, absmax: refused.absmax });
  const kept = trial.run("quantize4bit", { ...args, x: trial.float("A"), nonFinite: "propagate" });
  if (trial.wants("packed")) yield trial.read("packed", kept.codes);
  if (trial.wants("absmax")) yield trial.read("absmax", kept.absmax);
}

/** `propagate` is not judged here: upstream converts NaN to an integer, which is undefined. */
export async function* nonFiniteBlockwise(trial: Trial): Verdicts {
  const { codes, absmax } = trial.run("quantizeBlockwise", blockwiseArgs(trial));
  yield* refusal(trial, { q: codes, absmax });
}

/** Subnormal blocks: 1/absmax overflows and upstream's codes are undefined, so the reference kernels are the expectation. */
export async function* subnormalBlockwise(trial: Trial): Verdicts {
  const reference = await trial.reference();
  const found = trial.run("quantizeBlockwise", { ...blockwiseArgs(trial), profile: "reference" });
  const expected = reference.run("quantizeBlockwise", { ...blockwiseArgs(reference), profile: "reference" });
  if (trial.wants("q")) yield trial.read("q", found.codes, await readElements(expected.codes));
  if (trial.wants("absmax")) yield trial.read("absmax", found.absmax, await readElements(expected.absmax));
}

/** The quirks do not store the map: it is the default one. */
const blockwiseArgs = (trial: Trial) => ({
  x: trial.float("A"),
  code: trial.has("code") ? trial.upload("float32", trial.input("code")) : trial.float32(createDynamicMap()),
  blockSize: trial.number("blocksize"),
  profile: trial.profile,
});

/** Every output rejects with NON_FINITE_INPUT at the lowest flat index. */
async function* refusal(trial: Trial, outputs: Readonly<Record<string, Tensor>>): AsyncGenerator<Verdict, void, void> {
  const expected = `NON_FINITE_INPUT at ${firstNonFinite(trial)}`;
  for (const [output, tensor] of Object.entries(outputs)) {
    if (trial.wants(output)) yield { output, difference: await refusalOf(tensor, expected) };
  }
}

async function refusalOf(tensor: Tensor, expected: string): Promise<Difference | undefined> {
  const found = await tensor.read().then(
    () => "a result",
    (error: unknown) => (isHalfbyteError(error) ? `${error.code} at ${String(error.details["index"])}` : String(error)),
  );
  return differenceInText(expected, found);
}
