/** Which judge an operation of the side-cars has, and what a case came to. */
import { isHalfbyteError } from "@halfbyte/core";
import * as maps from "./code-maps.js";
import type { Difference } from "./compare.js";
import * as int8 from "./int8.js";
import * as matmul from "./matmul-4bit.js";
import { firstNonFinite, nonFinite4bit, nonFiniteBlockwise, subnormalBlockwise } from "./nonfinite.js";
import { optimizer } from "./optimizers.js";
import { dequantize4bit, quantize4bit } from "./quantize-4bit.js";
import { quantizeBlockwise } from "./quantize-blockwise.js";
import type { Judge, Trial } from "./trial.js";

const judges: Readonly<Record<string, Judge>> = {
  quantize_4bit: (trial) => (firstNonFinite(trial) < 0 ? quantize4bit(trial) : nonFinite4bit(trial)),
  dequantize_4bit: dequantize4bit,
  quantize_blockwise: (trial) => blockwiseJudge(trial)(trial),
  matmul_4bit: matmul.matmul4bit,
  gemv_4bit_cpu_packed: matmul.gemv4bitPacked,
  "Linear4bit.forward": matmul.linear4bitForward,
  create_dynamic_map: maps.dynamicMap,
  create_linear_map: maps.linearMap,
  create_fp8_map: maps.fp8Map,
  create_normal_map: maps.normalMap,
  get_4bit_type: maps.fourBitType,
  quantize_4bit_bounds: maps.fourBitBounds,
  int8_vectorwise_quant: int8.vectorwiseQuant,
  int8_linear_matmul: int8.linearMatmul,
  int8_mm_dequant: int8.mmDequant,
  int8_scaled_mm: int8.scaledMm,
  int8_mixed_scaled_mm: int8.mixedScaledMm,
  "Linear8bitLt.forward": int8.linear8bitForward,
};

/** quirks/nonfinite: what is not finite is refused; what is subnormal has no defined result upstream. */
function blockwiseJudge(trial: Trial): Judge {
  if (firstNonFinite(trial) >= 0) return nonFiniteBlockwise;
  return trial.record.params["what"] === "subnormal" ? subnormalBlockwise : quantizeBlockwise;
}

const judgeOf = (op: string): Judge | undefined => (op.startsWith("optim.") ? optimizer : judges[op]);

/** Upstream's internal layouts, and the native kernel's own results where they differ from the pure ones. */
const neverJudged: ReadonlySet<string> = new Set(["dequant_native", "packed_cpu", "absmax_bf16_t"]);

export interface Failure extends Difference {
  readonly output: string;
}

/** Judges one case: the first failure, or undefined when every output passed. */
export async function judgeCase(trial: Trial): Promise<Failure | undefined> {
  const judge = judgeOf(trial.record.op);
  return judge ? judgeWith(judge, trial) : unjudged(`operation ${trial.record.op}`, "");
}

/** The same with a judge that is not in the table. */
export async function judgeWith(judge: Judge, trial: Trial): Promise<Failure | undefined> {
  try {
    return await firstFailure(judge, trial);
  } catch (error) {
    return thrown(error);
  } finally {
    trial.dispose();
  }
}

async function firstFailure(judge: Judge, trial: Trial): Promise<Failure | undefined> {
  const judged = new Set<string>();
  for await (const { output, difference } of judge(trial)) {
    judged.add(output);
    if (difference) return { output, ...difference };
  }
  const missed = Object.keys(trial.record.outputs).find((name) => !judged.has(name) && !neverJudged.has(name));
  return missed === undefined ? undefined : unjudged(`output ${missed} of ${trial.record.op}`, missed);
}

/** What no judge knows fails: a runner that ignores unknown outputs would pass everything. */
const unjudged = (what: string, output: string): Failure => ({
  output,
  index: -1,
  expected: "something a judge knows",
  found: `VECTORS_INVALID: ${what}`,
  bound: "equal",
});

/** A case that throws has failed. */
export function thrown(error: unknown): Failure {
  const found = isHalfbyteError(error) ? `${error.code}: ${error.message}` : String(error);
  return { output: "", index: -1, expected: "a result", found, bound: "no error" };
}
