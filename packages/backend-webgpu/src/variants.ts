/** Which variant of which kernel runs: those whose needs the device meets, less those that the self-test demoted, the fastest first. */
import { halfbyteError, type OpName, type Ops, opNames, type Reason } from "@halfbyte/core";
import { operations } from "./operations/index.js";
import type { Kernel, Operation, Variant } from "./operations/operation.js";
import type { Traits } from "./traits.js";

/** `unavailable`: the device lacks what it needs. `demoted`: it gave wrong results, or did not run. */
export type Verdict = "untested" | "passed" | "demoted" | "unavailable";

/** A variant on this device, as it is told. */
export interface VariantReport {
  readonly op: OpName;
  readonly kernel: string;
  readonly variant: string;
  readonly verdict: Verdict;
  /** Why it was demoted or is unavailable. */
  readonly reason?: Reason;
  /** Time of the sample that variants of one kernel compete with. */
  readonly ns?: number;
}

export interface Candidate<K extends OpName = OpName> {
  readonly op: K;
  readonly kernel: Kernel<K>;
  readonly variant: Variant<K>;
  verdict: Verdict;
  reason?: Reason;
  ns?: number;
}

export const keyOf = ({ op, kernel, variant }: Candidate): string => `${op} ${kernel.name} ${variant.name}`;

export class Variants {
  readonly all: readonly Candidate[];
  readonly #ranked = new Map<Kernel<OpName>, readonly Candidate[]>();
  readonly #traits: Traits;
  readonly #wanted: readonly OpName[];

  /** @param wanted the operations that will be asked for; kernels of others are not looked at */
  constructor(traits: Traits, wanted: readonly OpName[] = opNames) {
    for (const op of wanted) if (!opNames.includes(op)) throw unknownOperation(op);
    this.#traits = traits;
    this.#wanted = wanted;
    this.all = wanted.flatMap((op) => candidatesOf(op, operationOf(op), traits));
  }

  choose<K extends OpName>(op: K, args: Ops[K]["in"]): Candidate<K> | Reason {
    if (!this.#wanted.includes(op))
      return unsupported(`${op} is not among the operations this backend was opened for.`);
    const reasons: string[] = [];
    for (const kernel of operationOf(op).kernels) {
      const why = kernel.refuse?.(args as never, this.#traits);
      const [best] = this.ranked(kernel);
      if (why === undefined && best) return best as unknown as Candidate<K>;
      reasons.push(why ?? `no variant of ${kernel.name} passed the self-test on this device.`);
    }
    return unsupported(reasons[0]!);
  }

  refusal<K extends OpName>({ kernel }: Candidate<K>, args: Ops[K]["in"]): Reason | undefined {
    const why = kernel.refuse?.(args, this.#traits);
    return why === undefined ? undefined : unsupported(why);
  }

  /** Of one kernel, those that may run. */
  ranked(kernel: Kernel<OpName>): readonly Candidate[] {
    const known = this.#ranked.get(kernel) ?? rank(this.all.filter((candidate) => candidate.kernel === kernel));
    this.#ranked.set(kernel, known);
    return known;
  }

  /** To be called when verdicts or times have changed. */
  rerank(): void {
    this.#ranked.clear();
  }

  report(): VariantReport[] {
    return this.all.map(({ op, kernel, variant, verdict, reason, ns }) => ({
      op,
      kernel: kernel.name,
      variant: variant.name,
      verdict,
      ...(reason && { reason }),
      ...(ns !== undefined && { ns }),
    }));
  }
}

export const operationOf = (op: OpName): Operation<OpName> => operations[op] as unknown as Operation<OpName>;

function candidatesOf(op: OpName, operation: Operation<OpName>, { needs }: Traits): Candidate[] {
  return operation.kernels.flatMap((kernel) =>
    kernel.variants.map((variant): Candidate => {
      const missing = variant.needs.filter((need) => !needs.has(need));
      if (missing.length === 0) return { op, kernel, variant, verdict: "untested" };
      const reason = unsupported(`the device has no ${missing.join(", ")}.`);
      return { op, kernel, variant, verdict: "unavailable", reason };
    }),
  );
}

function rank(candidates: readonly Candidate[]): Candidate[] {
  const usable = candidates.filter(({ verdict }) => verdict === "untested" || verdict === "passed");
  return usable.sort((a, b) => (a.ns ?? Number.POSITIVE_INFINITY) - (b.ns ?? Number.POSITIVE_INFINITY) || 0);
}

const unknownOperation = (op: string): Error =>
  halfbyteError("INVALID_ARGUMENT", `There is no operation "${op}".`, {
    remedy: `The operations are ${opNames.join(", ")}.`,
  });

export function unsupported(message: string): Reason {
  const { code, remedy } = halfbyteError("UNSUPPORTED_KERNEL", message);
  return { code, message, remedy };
}
