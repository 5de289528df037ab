/** Cases one after the other, with what they share. */
import type { Bench, Suite } from "./case.js";
import { tell } from "./failure.js";
import { measureCase } from "./measure-case.js";
import type { Failure, Row } from "./report/row.js";
import type { Spec, SuiteName } from "./spec.js";

export type Suites = Readonly<Partial<Record<SuiteName, Suite>>>;

/** What is told about a case. */
export type CaseMessage =
  | { readonly kind: "begin"; readonly spec: Spec }
  | { readonly kind: "rows"; readonly spec: Spec; readonly rows: readonly Row[] }
  | { readonly kind: "failure"; readonly spec: Spec; readonly reason: Failure["reason"] };

export interface Cases {
  readonly specs: readonly Spec[];
  readonly suites: Suites;
  /** Or why nothing can be measured. */
  readonly bench: Bench | string;
}

/** A case that fails is told; the others go on. */
export async function runCases(
  { specs, suites, bench }: Cases,
  report: (message: CaseMessage) => void | Promise<void>,
): Promise<void> {
  for (const spec of specs) {
    await report({ kind: "begin", spec });
    try {
      if (typeof bench === "string") throw new Error(bench);
      await report({ kind: "rows", spec, rows: await measureCase(spec, expectSuite(suites, spec), bench) });
    } catch (thrown) {
      await report({ kind: "failure", spec, reason: tell(thrown) });
    }
  }
}

function expectSuite(suites: Suites, { suite, backend }: Spec): Suite {
  const found = suites[suite];
  if (found) return found;
  throw new Error(`suite ${suite} does not measure the backend "${backend}"`);
}
