/** Planning and quantizing the files that were picked. They are read in slices and never held. */
import {
  type Backend,
  bitsPerWeight,
  type CheckpointReport,
  closeShards,
  getFormat,
  memoryRepository,
  openCheckpoint,
  type PlannedTensor,
  planQuantization,
  type QuantizationPlan,
  quantizeCheckpoint,
  type Repository,
  type TensorReport,
  toFloat32,
} from "@halfbyte/core";
import type { Answering } from "../calls.js";
import { type ReadValues, type TensorFigures, tensorFigures } from "./element-errors.js";
import type { Input, Plan, PlannedRow, QuantizeProgress, Result } from "./quantize-calls.js";
import type { Scratch } from "./scratch.js";

export const repositoryOf = (files: readonly File[]): Repository =>
  memoryRepository(
    Object.fromEntries(files.map((file) => [file.name, file])),
    files.length === 1 ? files[0]!.name : "What was opened",
  );

/** What would be done with every tensor, and why. */
export async function planFiles({ files, choice }: Input, signal: AbortSignal): Promise<Plan> {
  const plan = await planQuantization(repositoryOf(files), { ...choice, signal });
  await closeShards(plan.shards.shards);
  const tensors = plan.tensors.map(rowOf);
  const bytesOf = (tensor: PlannedTensor) => (tensor.quantize ? quantizedBytes(tensor, plan) : tensor.entry.byteLength);
  return {
    tensors,
    bytesIn: tensors.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
    bytesOut: plan.tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0),
  };
}

const rowOf = ({ entry, quantize, reason }: PlannedTensor): PlannedRow => ({
  name: entry.name,
  dtype: entry.dtype,
  shape: entry.shape,
  bytesIn: entry.byteLength,
  quantize,
  reason,
});

function quantizedBytes({ entry }: PlannedTensor, { format, blockSize, quantization }: QuantizationPlan): number {
  const size = sizeOf(entry.shape);
  return Math.ceil((size * bitsPerWeight(getFormat(format), blockSize, quantization.nested)) / 8);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dimension) => product * dimension, 1);

/** Quantizes into the scratch, then looks at what was written. On any failure the scratch is empty. */
export async function quantizeFiles(
  { files, choice }: Input,
  backend: Backend,
  scratch: Scratch,
  { signal, progress }: Answering<QuantizeProgress>,
): Promise<Result> {
  const began = performance.now();
  const repository = repositoryOf(files);
  const options = { ...choice, backend, signal };
  const onProgress = (told: Omit<QuantizeProgress, "stage">) => progress({ stage: "quantize", ...told });
  const report = await quantizeCheckpoint(repository, scratch.sink, { ...options, onProgress });
  const ms = performance.now() - began;
  const written = await scratch.files();
  const result = memoryRepository(Object.fromEntries(written.map(({ name, file }) => [name, file])));
  const figures = await figuresOf(repository, result, report, { signal, progress });
  return { report, files: written, figures, ms, backend: `${backend.name} (${backend.tier})`, kept: scratch.kept };
}

async function figuresOf(
  before: Repository,
  after: Repository,
  { tensors }: CheckpointReport,
  { signal, progress }: Answering<QuantizeProgress>,
): Promise<Map<string, TensorFigures>> {
  const figures = new Map<string, TensorFigures>();
  const [originals, results] = [await openCheckpoint(before, { signal }), await openCheckpoint(after, { signal })];
  try {
    const quantized = tensors.filter(({ action }) => action === "quantized");
    let bytes = 0;
    for (const tensor of quantized) {
      const weight = await results.hostWeight(tensor.name, { signal });
      const original = { read: valuesOf(originals, tensor), transpose: tensor.reason.startsWith("Conv1D") };
      figures.set(tensor.name, await tensorFigures(weight, original, rmsOf(tensor), signal));
      bytes += tensor.bytesIn;
      progress({ stage: "measure", tensor: tensor.name, done: figures.size, total: quantized.length, bytes });
    }
    return figures;
  } finally {
    await Promise.all([originals.close(), results.close()]);
  }
}

/** From error and ratio: the RMS of the weight itself. An exact copy has no errors to scale. */
const rmsOf = ({ error }: TensorReport): number =>
  error && Number.isFinite(error.sqnrDb) ? error.rmse * 10 ** (error.sqnrDb / 20) : 0;

const floats = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

function valuesOf(checkpoint: Awaited<ReturnType<typeof openCheckpoint>>, { name, dtype }: TensorReport): ReadValues {
  const float = floats[dtype as keyof typeof floats];
  const width = float === "float32" ? 4 : 2;
  return async (begin, end) => {
    const stored = await checkpoint.read(name, { offset: begin * width, length: (end - begin) * width });
    const { buffer } = new Uint8Array(stored);
    return float === "float32" ? new Float32Array(buffer) : toFloat32(float, new Uint16Array(buffer));
  };
}
