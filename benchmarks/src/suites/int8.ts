/** Suite int8: LLM.int8() as a layer runs it, and its integer core alone. */
import type { ArrayOf, Backend, DType, Float, Ops, Tensor } from "@halfbyte/core";
import type { Bench, Candidate, Prepared } from "../case.js";
import { disposeAll, type KernelCalls, kernelCalls } from "../kernel-calls.js";
import type { PeerSet } from "../peers/peer-set.js";
import { type Activations, activationsOf, normalValues, productError } from "../product.js";
import type { Spec } from "../spec.js";
import { readFloats } from "../weights.js";

/** `linear8bit`: quantize the rows of x, multiply, scale. `int8LinearMatmul`: the product of int8 matrices. */
export const int8Cases = ["linear8bit", "int8LinearMatmul"] as const;

export async function prepareInt8(spec: Spec, bench: Bench): Promise<Prepared> {
  const { shape, dtype } = spec;
  const { m, n, k } = shape;
  const operands = operandsOf(bench.backend, spec);
  const calls = spec.case === "linear8bit" ? layerCalls(operands, dtype) : coreCalls(operands);
  return {
    ours: calls.ours,
    floor: { kind: m === 1 ? "read" : "dot-int8", work: m === 1 ? n * k + 4 * n : m * n * k, temperature: "warm" },
    otherFloors: [],
    candidates: spec.case === "linear8bit" ? candidatesOf(bench.peerSet, spec, operands) : [],
    relativeError: await errorOf(calls.outputs.out, spec, operands),
    accuracy: null,
    dispose() {
      calls.dispose();
      const { x, a, b } = operands;
      disposeAll([x, ...Object.values(a), ...Object.values(b)]);
    },
  };
}

interface Operands {
  readonly backend: Backend;
  readonly activations: Activations;
  readonly dense: Float32Array;
  readonly x: Tensor<Float>;
  /** The rows of x, and those of the weight. */
  readonly a: Ops["int8VectorwiseQuant"]["out"];
  readonly b: Ops["int8VectorwiseQuant"]["out"];
}

function operandsOf(backend: Backend, { shape: { m, n, k }, dtype }: Spec): Operands {
  const activations = activationsOf(dtype, m * k);
  const dense = normalValues(n * k, 1, 0.02);
  const x = backend.tensor(dtype, [m, k], activations.stored);
  using weight = backend.tensor("float32", [n, k], dense);
  const quantized = (matrix: Tensor<Float>) => backend.kernels.int8VectorwiseQuant({ x: matrix, threshold: 0 });
  return { backend, activations, dense, x, a: quantized(x), b: quantized(weight) };
}

type LayerOut = Ops["int8VectorwiseQuant"]["out"] & { readonly out: Tensor<Float> };

function layerCalls({ backend, x, b }: Operands, dtype: Float): KernelCalls<LayerOut> {
  const { kernels } = backend;
  return kernelCalls(backend, 1, (_, into?: LayerOut) => {
    const { q, rowStats, outlierColumns } = kernels.int8VectorwiseQuant({ x, threshold: 0 }, into);
    const args = { a: q, b: b.q, rowStats, colStats: b.rowStats, dtype };
    const { out } = kernels.int8ScaledMm(args, into && { out: into.out });
    return { q, rowStats, outlierColumns, out };
  });
}

const coreCalls = ({ backend, a, b }: Operands): KernelCalls<Ops["int8LinearMatmul"]["out"]> =>
  kernelCalls(backend, 1, (_, into) => backend.kernels.int8LinearMatmul({ a: a.q, b: b.q }, into));

function candidatesOf(peers: PeerSet, spec: Spec, { activations: { values: x }, dense }: Operands): Candidate[] {
  const { shape, threads } = spec;
  const layers = [{ weight: shape, dense }];
  const inputs = new Map([[shape.k, x]]);
  const onnx = (["MatMulNBits 8 bit level 4", "MatMul"] as const).map((op) =>
    peers.onnx(spec, { op, layers, inputs, unitsPerRun: 1 }),
  );
  const product = { shape, x, weight: dense };
  return threads > 1 ? onnx : [...onnx, ...peers.dense(product)];
}

/** Of the layer against the product of the floats, which is what LLM.int8() loses; of the core against the integers, which is nothing. */
async function errorOf(out: Tensor, spec: Spec, { activations, dense, a, b }: Operands): Promise<number> {
  const { k } = spec.shape;
  const row = (values: ArrayOf[DType]) => (n: number) => values.subarray(n * k, (n + 1) * k);
  if (out.dtype === "int32") {
    const [left, right] = await Promise.all([a.q.read(), b.q.read()]);
    return productError(await out.read(), Float32Array.from(left), spec.shape, row(right));
  }
  return productError(await readFloats(out as Tensor<Float>), activations.values, spec.shape, row(dense));
}
