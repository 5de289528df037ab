/** Everything that was registered, run and counted; what failed is said as it happens. */
import { type Outcome, outcomes } from "./vitest.js";

export interface Judgement {
  readonly passed: number;
  readonly failed: number;
  /** The first of them. */
  readonly failures: readonly Outcome[];
}

/** @param about what was judged, for the line that it ends with */
export async function judge(about: string): Promise<Judgement> {
  let passed = 0;
  const failures: Outcome[] = [];
  for await (const outcome of outcomes()) {
    if (outcome.failure === undefined) passed++;
    else failures.push(said(outcome));
  }
  console.log(`${about}: ${passed} passed, ${failures.length} failed`);
  return { passed, failed: failures.length, failures: failures.slice(0, 20) };
}

function said(outcome: Outcome): Outcome {
  console.log(`failed: ${outcome.name}\n  ${outcome.failure}`);
  return outcome;
}
