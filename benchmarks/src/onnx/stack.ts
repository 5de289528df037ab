/**
 * Linear layers that onnxruntime runs one after the other, as many to a session as a model file may hold: a single one, the copies
 * of a cold rotation, or all layers of a network. Its own cost per call is thus spread over many layers, in its favour.
 */
import type * as Ort from "onnxruntime-node";
import type { OnnxLinear } from "./linear.js";
import { encodeModel, type OnnxTensor } from "./model.js";

/** A model message stays below 2 GB, and its making takes the memory three times. */
const sessionBytes = 1e9;

export interface StackOptions {
  readonly threads: number;
  /** Rows of the activations. */
  readonly m: number;
  /** Activations [m, k] by k. */
  readonly inputs: ReadonlyMap<number, Float32Array>;
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

export async function openStack(ort: typeof Ort, layers: readonly OnnxLinear[], options: StackOptions): Promise<Stack> {
  const sessions: { session: Ort.InferenceSession; feeds: Record<string, Ort.Tensor> }[] = [];
  for (const group of groupLayers(layers))
    sessions.push({ session: await openSession(ort, group, options), feeds: feedsOf(ort, group, options) });
  return {
    async run() {
      for (const { session, feeds } of sessions) await session.run(feeds);
    },
    async first() {
      const { session, feeds } = sessions[0]!;
      return (await session.run(feeds))["y0"]!.data as Float32Array;
    },
    async dispose() {
      for (const { session } of sessions) await session.release();
    },
  };
}

function openSession(ort: typeof Ort, layers: readonly OnnxLinear[], { threads, m }: StackOptions) {
  return ort.InferenceSession.create(stackModel(layers, m), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
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

function feedsOf(ort: typeof Ort, layers: readonly OnnxLinear[], { m, inputs }: StackOptions) {
  const widths = [...new Set(layers.map(({ k }) => k))];
  return Object.fromEntries(widths.map((k) => [`x${k}`, new ort.Tensor("float32", inputs.get(k)!, [m, k])]));
}
