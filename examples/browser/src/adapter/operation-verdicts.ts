/** What the self-test found, operation by operation. */
import { variantsOf } from "@halfbyte/backend-webgpu";
import { type Backend, type OpName, opNames } from "@halfbyte/core";
import { reasonOf } from "../failure.js";
import type { OperationVerdict } from "./adapter-calls.js";
import { withArguments } from "./operation-arguments.js";

/** The WebGPU backend tells of every variant of a kernel; of another backend, and of what it composes, one asks which kernel would run. */
export function operationVerdicts(backend: Backend): readonly OperationVerdict[] {
  const tried = variantsOf(backend);
  const others = opNames.filter((op) => !tried.some((verdict) => verdict.op === op));
  return [...tried, ...others.map((op) => explained(backend, op))];
}

/** A backend that opened has passed its self-test with every kernel it would run. */
function explained(backend: Backend, op: OpName): OperationVerdict {
  const explanation = withArguments(backend, op, (args) => backend.explain(op, args));
  if (!("variant" in explanation)) return { op, verdict: "unavailable", reason: reasonOf(explanation) };
  const { kernel, variant } = explanation;
  return { op, kernel, variant, verdict: "passed" };
}
