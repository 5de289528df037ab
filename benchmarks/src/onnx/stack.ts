/**
 * Linear layers that onnxruntime runs one after the other, as many to a session as a model file may hold: a single one, the copies
 * of a cold rotation, or all layers of a network. Its own cost per call is thus spread over many layers, in its favour.
 */
import type * as Node from "onnxruntime-node";
import type { OnnxLinear } from "./linear.js";
import { encodeModel, type OnnxTensor } from "./model.js";

/** A model message stays below 2 GB, and its making takes the memory three times. */
const sessionBytes = 1e9;

/** What is used of onnxruntime-node or onnxruntime-web. */
export type Ort = Pick<typeof Node, "InferenceSession" | "Tensor">;

export interface StackOptions {
  readonly session: Node.InferenceSession.SessionOptions;
  /** Rows of the activations. */
  readonly m: number;
  /** Activations [m, k] by k. */
  readonly inputs: ReadonlyMap<number, Float32Array>;
  /** Puts activations where the runtime computes. Default: on the host. */
  readonly place?: (values: Float32Array, shape: readonly number[]) => Node.Tensor;
}

export interface Stack {
  run(): Promise<void>;
  /** The product of the first layer. */
  first(): Promise<Float32Array>;
  dispose(): Promise<void>;
}

const bytesOfLinear = ({ weights }: OnnxLinear): number =>
  weights.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);

/** Layers in order, in groups that fit a session. */
export function groupLayers(layers: readonly OnnxLinear[], limit = sessionBytes): OnnxLinear[][] {
  const groups: OnnxLinear[][] = [];
  let room = 0;
  for (const layer of layers) {
    const bytes = bytesOfLinear(layer);
    if (bytes > room || groups.length === 0) {
      groups.push([]);
      room = limit;
    }
    groups.at(-1)!.push(layer);
    room -= bytes;
  }
  return groups;
}

export async function openStack(ort: Ort, layers: readonly OnnxLinear[], options: StackOptions): Promise<Stack> {
  const sessions: { session: Node.InferenceSession; feeds: Record<string, Node.Tensor> }[] = [];
  for (const group of groupLayers(layers))
    sessions.push({ session: await openSession(ort, group, options), feeds: feedsOf(ort, group, options) });
  return {
    async run() {
      for (const { session, feeds } of sessions) disposeOutputs(await session.run(feeds));
    },
    async first() {
      const { session, feeds } = sessions[0]!;
      const outputs = await session.run(feeds);
      const values = (await outputs["y0"]!.getData()) as Float32Array;
      disposeOutputs(outputs);
      return values;
    },
    async dispose() {
      for (const { session } of sessions) await session.release();
    },
  };
}

/** Those on a GPU hold its memory. */
function disposeOutputs(outputs: Node.InferenceSession.OnnxValueMapType): void {
  for (const output of Object.values(outputs)) (output as Node.Tensor).dispose();
}

function openSession(ort: Ort, layers: readonly OnnxLinear[], { session, m }: StackOptions) {
  return ort.InferenceSession.create(stackModel(layers, m), {
    ...session,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
}

/** One node per layer, each with an output y<i> of its own; layers of the same k share their input. */
export function stackModel(layers: readonly OnnxLinear[], m: number): Uint8Array {
  const weights = layers.map(({ weights }, i) =>
    weights.map((tensor, j): OnnxTensor => ({ ...tensor, bytes: ownNumbers(tensor.bytes, i), name: `w${i}.${j}` })),
  );
  const widths = [...new Set(layers.map(({ k }) => k))];
  return encodeModel({
    nodes: layers.map(({ node, k }, i) => ({
      ...node,
      inputs: [`x${k}`, ...weights[i]!.map(({ name }) => name)],
      output: `y${i}`,
    })),
    weights: weights.flat(),
    inputs: widths.map((k) => ({ name: `x${k}`, shape: [m, k] })),
    outputs: layers.map(({ n }, i) => ({ name: `y${i}`, shape: [m, n] })),
  });
}

/** A runtime may keep equal constants once, and a rotation of copies would no longer be cold: each layer gets a mark in its lowest bits. */
function ownNumbers(bytes: Uint8Array, layer: number): Uint8Array {
  const own = bytes.slice();
  for (let bit = 0; 2 ** bit <= layer; bit++) own[4 * bit]! ^= (layer >> bit) & 1;
  return own;
}

function feedsOf(ort: Ort, layers: readonly OnnxLinear[], { m, inputs, place }: StackOptions) {
  const onHost = (values: Float32Array, shape: readonly number[]) => new ort.Tensor("float32", values, shape);
  const widths = [...new Set(layers.map(({ k }) => k))];
  return Object.fromEntries(widths.map((k) => [`x${k}`, (place ?? onHost)(inputs.get(k)!, [m, k])]));
}
