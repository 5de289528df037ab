/** onnxruntime-node: its 4-bit operators and its dense product. */
import { freemem } from "node:os";
import { halfbyteError } from "@halfbyte/core";
import type { Candidate } from "../case.js";
import { timed } from "../measure/subject.js";
import { type OnnxOp, onnxLinear } from "../onnx/linear.js";
import { openStack } from "../onnx/stack.js";
import { productError } from "../product.js";
import type { Spec } from "../spec.js";
import { importPeer, versionOf } from "./peer.js";
import type { LayerKind, StackWork } from "./peer-set.js";

const family = "onnxruntime-node";

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
        { m, inputs, session: onThreads(threads) },
      );
      const { n, k, row } = linears.get(layers[0]!)!;
      const relativeError = productError(await stack.first(), inputs.get(k)!, { m, n, k }, row);
      const subject = timed(stack.run, unitsPerRun);
      return { subject, relativeError, version: versionOf(family), dispose: () => stack.dispose() };
    },
  };
}

const onThreads = (threads: number) => ({ intraOpNumThreads: threads, interOpNumThreads: 1 });

/** The weights, their copy in the operator's own order, and the message they come in. */
function expectMemory(op: OnnxOp, layers: readonly LayerKind[]): void {
  const bytesPerWeight = op === "MatMul" ? 4 : 1.0625;
  const needed = 2.2 * bytesPerWeight * layers.reduce((sum, { weight: { n, k } }) => sum + n * k, 0) + 2e9;
  const free = freemem();
  if (needed <= free) return;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw halfbyteError("OUT_OF_MEMORY", `needs ${gigabytes(needed)} GB; ${gigabytes(free)} GB are free`);
}
