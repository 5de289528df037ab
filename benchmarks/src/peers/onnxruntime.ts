/** onnxruntime-node: its 4-bit operators and its dense product. */
import { freemem } from "node:os";
import { halfbyteError } from "@halfbyte/core";
import type { Candidate } from "../case.js";
import { timed } from "../measure/subject.js";
import { type Matrix, type OnnxOp, onnxLinear } from "../onnx/linear.js";
import { openStack } from "../onnx/stack.js";
import { productError, type Weight4bit } from "../product.js";
import type { Spec } from "../spec.js";
import { importPeer, versionOf } from "./peer.js";

const family = "onnxruntime-node";

/** Layers that share their numbers share this. */
export interface LayerKind {
  readonly weight: Weight4bit | Matrix;
  readonly dense: Float32Array;
}

export interface StackWork {
  readonly op: OnnxOp;
  /** Each entry is a layer with memory of its own. */
  readonly layers: readonly LayerKind[];
  readonly inputs: ReadonlyMap<number, Float32Array>;
  /** What one measured unit is: a layer of a rotation, or the whole stack. */
  readonly unitsPerRun: number;
}

export function onnxruntimeCandidate({ threads, shape: { m } }: Spec, work: StackWork): Candidate {
  const { op, layers, inputs, unitsPerRun } = work;
  return {
    family,
    name: `${family} ${op}`,
    async prepare() {
      const ort = await importPeer(family, () => import("onnxruntime-node"));
      expectMemory(op, layers);
      const linears = new Map([...new Set(layers)].map((kind) => [kind, onnxLinear(op, kind.weight, kind.dense)]));
      const stack = await openStack(
        ort,
        layers.map((kind) => linears.get(kind)!),
        { threads, m, inputs },
      );
      const { n, k, row } = linears.get(layers[0]!)!;
      const relativeError = productError(await stack.first(), inputs.get(k)!, { m, n, k }, row);
      const subject = timed(stack.run, unitsPerRun);
      return { subject, relativeError, version: versionOf(family), dispose: () => stack.dispose() };
    },
  };
}

/** The weights, their copy in the operator's own order, and the message they come in. */
function expectMemory(op: OnnxOp, layers: readonly LayerKind[]): void {
  const bytesPerWeight = op === "MatMul" ? 4 : 1.0625;
  const needed = 2.2 * bytesPerWeight * layers.reduce((sum, { weight: { n, k } }) => sum + n * k, 0) + 2e9;
  const free = freemem();
  if (needed <= free) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw halfbyteError("OUT_OF_MEMORY", `needs ${gigabytes(needed)} GB; ${gigabytes(free)} GB are free`);
}
