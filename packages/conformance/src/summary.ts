/** What a run over golden vectors came to, as `halfbyte selftest --json` prints it. */
import type { Shown } from "./judge/compare.js";
import type { Failure } from "./judge/index.js";
import type { JudgedProfile } from "./judge/trial.js";

export interface FirstFailure {
  /** File and id: `4bit/gemm:c003`. */
  readonly case: string;
  readonly output: string;
  /** Flat index of the first element out of bounds; −1 when something else than an element differs. */
  readonly index: number;
  readonly expected: Shown;
  readonly found: Shown;
  readonly bound: Shown;
}

export interface Tally {
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  /** Always 0: a golden case is never skipped. */
  readonly skipped: number;
}

export interface OperationTally extends Tally {
  readonly firstFailure?: FirstFailure;
}

export interface Summary extends Tally {
  readonly backend: string;
  readonly tier: string;
  readonly profile: JudgedProfile;
  /** By the name of the side-car, and `checkpoint`, which is beside the totals. */
  readonly operations: Readonly<Record<string, OperationTally>>;
  readonly checkpoints: Tally;
}

/** One judged case. */
export interface CaseResult {
  readonly case: string;
  readonly op: string;
  readonly failure?: FirstFailure;
}

export const checkpointOperation = "checkpoint";

export function resultOf(name: string, op: string, failure: Failure | undefined): CaseResult {
  if (!failure) return { case: name, op };
  const { output, index, expected, found, bound } = failure;
  return { case: name, op, failure: { case: name, output, index, expected, found, bound } };
}

export function summarize(
  { name, tier }: { readonly name: string; readonly tier: string },
  profile: JudgedProfile,
  results: readonly CaseResult[],
): Summary {
  const isCheckpoint = ({ op }: CaseResult) => op === checkpointOperation;
  const operations = [...new Set(results.map(({ op }) => op))].map((op) => [op, operationTally(results, op)] as const);
  const vectors = tallyOf(results.filter((result) => !isCheckpoint(result)));
  const checkpoints = tallyOf(results.filter(isCheckpoint));
  return { backend: name, tier, profile, ...vectors, operations: Object.fromEntries(operations), checkpoints };
}

function operationTally(results: readonly CaseResult[], op: string): OperationTally {
  const own = results.filter((result) => result.op === op);
  const firstFailure = own.find(({ failure }) => failure)?.failure;
  return firstFailure ? { ...tallyOf(own), firstFailure } : tallyOf(own);
}

function tallyOf(results: readonly CaseResult[]): Tally {
  const failed = results.filter(({ failure }) => failure).length;
  return { cases: results.length, passed: results.length - failed, failed, skipped: 0 };
}
