/** What the self-test found, operation by operation. */
import { variantsOf } from "@halfbyte/backend-webgpu";
import { type Backend, opNames } from "@halfbyte/core";
import type { OperationVerdict } from "./adapter-calls.js";
import { withArguments } from "./operation-arguments.js";

/** The WebGPU backend tries every variant of a kernel and tells of each; of another backend one knows which kernel it would run. */
export function operationVerdicts(backend: Backend): readonly OperationVerdict[] {
  const tried = variantsOf(backend).map(({ reason, ...verdict }) => ({
    ...verdict,
    ...(reason && { reason: reason.message }),
  }));
  const others = opNames.filter((op) => !tried.some((verdict) => verdict.op === op));
  return [...tried, ...others.map((op) => explained(backend, op))];
}

/** A backend that opened has passed its self-test with every kernel it would run. */
function explained(backend: Backend, op: (typeof opNames)[number]): OperationVerdict {
  const explanation = withArguments(backend, op, (args) => backend.explain(op, args));
  if (!("variant" in explanation)) return { op, verdict: "unavailable", reason: explanation.message };
  const { kernel, variant } = explanation;
  return { op, kernel, variant, verdict: "passed" };
}
