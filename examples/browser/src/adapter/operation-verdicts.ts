/** What the self-test found, operation by operation. */
import * as backendWebgpu from "@halfbyte/backend-webgpu";
import { type Backend, opNames } from "@halfbyte/core";
import type { OperationVerdict } from "./adapter-calls.js";
import { withArguments } from "./operation-arguments.js";

/** The WebGPU backend tries every variant of a kernel and tells of each; of another backend one knows which kernel it would run. */
export function operationVerdicts(backend: Backend): readonly OperationVerdict[] {
  const { variantsOf } = backendWebgpu as { readonly variantsOf?: (backend: Backend) => readonly OperationVerdict[] };
  if (backend.name !== "webgpu" || !variantsOf) return opNames.map((op) => explained(backend, op));
  const tried = variantsOf(backend);
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
