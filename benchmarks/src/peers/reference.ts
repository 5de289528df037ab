/** The reference backend of core as a peer: what the same operation costs in plain JavaScript loops. */
import { referenceBackend, version } from "@halfbyte/core";
import type { Candidate } from "../case.js";
import { timed } from "../measure/subject.js";

/** `prepare` makes the operands on the reference backend and gives a function that enqueues the work once. */
export function referenceCandidate(
  prepare: (backend: ReturnType<typeof referenceBackend>) => ReferenceWork,
): Candidate {
  return {
    family: "plain-js",
    name: "plain JavaScript (reference kernels)",
    async prepare() {
      const backend = referenceBackend();
      const { run, dispose } = prepare(backend);
      const subject = timed({ enqueue: run, wait: () => backend.synchronize() });
      return { subject, relativeError: null, isElsewhere: true, version, dispose };
    },
  };
}

export interface ReferenceWork {
  run(): void;
  dispose(): void;
}
