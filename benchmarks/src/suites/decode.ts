/**
 * Suite decode: one token through all linear layers of a model. Every layer has memory of its own, so that each is as cold as in
 * real decoding. The floor is reading the same bytes.
 */
import type { QuantizedTensor, Tensor } from "@halfbyte/core";
import { type Architecture, architectureOf, type LinearShape, linearShapes } from "../architectures.js";
import type { Bench, Candidate, Own, Prepared } from "../case.js";
import { disposeAll } from "../kernel-calls.js";
import { timed } from "../measure/subject.js";
import { ownErrors } from "../own-errors.js";
import type { LayerKind, PeerSet } from "../peers/peer-set.js";
import { activationsOf } from "../product.js";
import type { Spec } from "../spec.js";
import { denseValues, hostWeight, storedBytes, weightsOn } from "../weights.js";
import { defaultAccuracy } from "./gemm-4bit.js";

export const prepareDecode = (spec: Spec, bench: Bench): Promise<Prepared> =>
  prepareArchitecture(architectureOf(spec.case), spec, bench);

export async function prepareArchitecture(architecture: Architecture, spec: Spec, bench: Bench): Promise<Prepared> {
  const shapes = linearShapes(architecture);
  const weights = await layersOn(bench, spec, shapes);
  const inputs = new Map([...new Set(shapes.map(({ k }) => k))].map((k) => [k, activationsOf(spec.dtype, k)]));
  const tensors = new Map(
    [...inputs].map(([k, { dtype, stored }]) => [k, bench.backend.tensor(dtype, [1, k], stored)]),
  );
  const accuracy = spec.accuracy ?? defaultAccuracy(spec.dtype);
  const token = tokenOf(bench, spec, weights, tensors);
  return {
    ours: token.ours,
    floor: { kind: "read", work: shapes.reduce((sum, { n, k }) => sum + storedBytes(n, k), 0), temperature: "warm" },
    otherFloors: [],
    candidates: await candidatesOf(
      bench.peerSet,
      spec,
      shapes,
      weights,
      new Map([...inputs].map(([k, { values }]) => [k, values])),
    ),
    // A stack of float32 weights alone may take most of the memory.
    peersAtOnce: 1,
    ...(await ownErrors(token.first, inputs.get(shapes[0]!.k)!, weights[0]!, { m: 1, ...shapes[0]! }, accuracy)),
    accuracy,
    dispose() {
      token.dispose();
      disposeAll([...weights, ...tensors.values()]);
    },
  };
}

const named = ({ n, k }: LinearShape): string => `${n}x${k}`;

/** One weight per layer; layers of one shape share their numbers, not their memory. */
async function layersOn(
  { backend }: Bench,
  { format }: Spec,
  shapes: readonly LinearShape[],
): Promise<QuantizedTensor[]> {
  const made = new Map<string, QuantizedTensor[]>();
  for (const { n, k } of shapes) {
    const name = named({ n, k });
    const count = shapes.filter((shape) => named(shape) === name).length;
    if (!made.has(name)) made.set(name, await weightsOn(backend, format!, n, k, count));
  }
  return shapes.map((shape) => made.get(named(shape))!.shift()!);
}

type Inputs = ReadonlyMap<number, Tensor<Spec["dtype"]>>;

/** A token is enqueued layer by layer and waited for once. */
function tokenOf({ backend }: Bench, { accuracy }: Spec, weights: readonly QuantizedTensor[], inputs: Inputs) {
  const asked = accuracy ? { accuracy } : {};
  const multiply = (weight: QuantizedTensor, into?: Parameters<typeof backend.kernels.gemm4bit>[1]) =>
    backend.kernels.gemm4bit({ x: inputs.get(weight.shape[1]!)!, weight, ...asked }, into).out;
  const reused = new Map<number, Tensor<Spec["dtype"]>>();
  // Backwards, so that the first layer's output stays; the first product with a weight packs it, which is no part of a token.
  for (const weight of [...weights].reverse()) {
    const n = weight.shape[0]!;
    const out = reused.get(n);
    if (out) multiply(weight, { out });
    else reused.set(n, multiply(weight));
  }
  const wait = () => backend.synchronize();
  const pool = timed({
    enqueue: () => {
      for (const weight of weights) multiply(weight).dispose();
    },
    wait,
  });
  const into = timed({
    enqueue: () => {
      for (const weight of weights) multiply(weight, { out: reused.get(weight.shape[0]!)! });
    },
    wait,
  });
  const ours: Own[] = [
    { memory: "pool", subject: pool },
    { memory: "into", subject: into },
  ];
  // The first layer's, until the first timed run.
  const first = reused.get(weights[0]!.shape[0]!)!;
  return { ours, first, dispose: () => disposeAll(reused.values()) };
}

async function candidatesOf(
  { onnx }: PeerSet,
  spec: Spec,
  shapes: readonly LinearShape[],
  weights: readonly QuantizedTensor[],
  inputs: ReadonlyMap<number, Float32Array>,
): Promise<Candidate[]> {
  const kinds = new Map<string, LayerKind>();
  for (const [i, shape] of shapes.entries())
    if (!kinds.has(named(shape)))
      kinds.set(named(shape), { weight: await hostWeight(weights[i]!), dense: await denseValues(weights[i]!) });
  const layers = shapes.map((shape) => kinds.get(named(shape))!);
  const ops = ["MatMulBnb4", "MatMulNBits level 4", "MatMul"] as const;
  return ops.map((op) => onnx(spec, { op, layers, inputs, unitsPerRun: 1 }));
}
