/** Suite gemm-4bit: products with a 4-bit weight. One row of activations is bound by memory, many by arithmetic. */
import type { Accuracy, Float, Ops, QuantizedTensor } from "@halfbyte/core";
import type { Bench, Candidate, Prepared } from "../case.js";
import type { FloorRequest } from "../floors/floor.js";
import type { FloorKind } from "../floors/kinds.js";
import { disposeAll, kernelCalls, variantOf } from "../kernel-calls.js";
import { onnxOps } from "../onnx/linear.js";
import { ownErrors } from "../own-errors.js";
import type { PeerSet } from "../peers/peer-set.js";
import { type Activations, activationsOf } from "../product.js";
import { copiesOf, type Spec } from "../spec.js";
import { denseValues, hostWeight, storedBytes, weightsOn } from "../weights.js";

/** What a kernel computes with when nothing is asked for. */
export const defaultAccuracy = (dtype: Float): Accuracy => (dtype === "float32" ? "exact" : "fast");

/** The instructions that do the work at an accuracy. */
const arithmetic: Readonly<Record<Accuracy, FloorKind>> = { exact: "fma-f32", fast: "dot-int16", turbo: "dot-int8" };

export async function prepareGemm4bit(spec: Spec, bench: Bench): Promise<Prepared> {
  const { shape, dtype, temperature } = spec;
  const { m, n, k } = shape;
  const { backend } = bench;
  const copies = copiesOf(storedBytes(n, k), temperature);
  const weights = await weightsOn(backend, spec.format!, n, k, copies);
  const activations = activationsOf(dtype, m * k);
  const x = backend.tensor(dtype, [m, k], activations.stored);
  const asked = spec.accuracy ? { accuracy: spec.accuracy } : {};
  const calls = kernelCalls<Ops["gemm4bit"]["out"]>(backend, copies, (copy, into) =>
    backend.kernels.gemm4bit({ x, weight: weights[copy]!, ...asked }, into),
  );
  const accuracy = spec.accuracy ?? defaultAccuracy(dtype);
  const multiplies = m * n * k;
  return {
    ours: calls.ours,
    floor:
      m === 1
        ? { kind: "read", work: storedBytes(n, k), temperature }
        : { kind: arithmetic[accuracy], work: multiplies, temperature: "warm" },
    otherFloors: m === 1 ? [] : otherFloors(accuracy, multiplies),
    candidates: await candidatesOf(bench.peerSet, spec, activations, weights),
    ...(await ownErrors(calls.outputs.out, activations, weights[0]!, shape, accuracy)),
    accuracy,
    variant: variantOf(backend, "gemm4bit", { x, weight: weights[0]!, ...asked }),
    dispose() {
      calls.dispose();
      disposeAll([x, ...weights]);
    },
  };
}

/** Targets for 16-bit inputs count in multiples of the f32 peak. */
const otherFloors = (accuracy: Accuracy, work: number): FloorRequest[] =>
  accuracy === "exact" ? [] : [{ kind: "fma-f32", work, temperature: "warm" }];

/** Every peer multiplies with f32 activations of the same values. */
async function candidatesOf(
  peers: PeerSet,
  spec: Spec,
  { values: x }: Activations,
  weights: readonly QuantizedTensor[],
): Promise<Candidate[]> {
  const { shape, temperature } = spec;
  const kind = { weight: await hostWeight(weights[0]!), dense: await denseValues(weights[0]!) };
  const inputs = new Map([[shape.k, x]]);
  const onnx = onnxOps.map((op) => {
    const bytes = op === "MatMul" ? 4 * shape.n * shape.k : storedBytes(shape.n, shape.k);
    const copies = copiesOf(bytes, temperature);
    return peers.onnx(spec, { op, layers: Array(copies).fill(kind), inputs, unitsPerRun: copies });
  });
  if (temperature === "cold" || spec.threads > 1) return onnx;
  const product = { shape, x, weight: kind.dense };
  return [...onnx, ...peers.dense(product)];
}
