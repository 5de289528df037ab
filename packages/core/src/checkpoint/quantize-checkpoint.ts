/**
 * From a checkpoint to a bitsandbytes checkpoint: tensor by tensor, one output shard per input shard, every other file copied.
 * Memory holds one weight and its codes at a time; the sink shows nothing before everything is written.
 */
import { type Backend, uploadTensor } from "../backend.js";
import { bytesOf } from "../dtype.js";
import { halfbyteError, isHalfbyteError, throwIfAborted } from "../errors.js";
import { getFormat } from "../formats/index.js";
import { quantize } from "../quantize.js";
import type { QuantizedTensor } from "../quantized-tensor.js";
import type { ArrayOf, Float, Tensor } from "../tensor.js";
import {
  guessStateBytes,
  type StoredSpec,
  stateMarker,
  type WeightLayout,
  weightBytes,
  weightSpecs,
} from "./bitsandbytes.js";
import { copyOtherFiles } from "./copy-files.js";
import { type HostWeight, readWeight, storedBitsPerWeight } from "./host-weight.js";
import { pieceBytes, piecesOf } from "./open-checkpoint.js";
import { configName, withQuantizationConfig } from "./quantization-config.js";
import {
  type PlannedTensor,
  planQuantization,
  type QuantizationPlan,
  type QuantizeCheckpointOptions,
} from "./quantization-plan.js";
import { layoutSafetensors, type SafetensorsLayout, type TensorEntry } from "./safetensors.js";
import { rewriteIndex } from "./shard-index.js";
import { closeShards, type Shard } from "./shards.js";
import { commitAfter, type Sink, type SinkFile, writeFileTo } from "./sink.js";
import type { Repository } from "./source.js";
import { layoutRank } from "./stored-dtype.js";
import { type WeightError, weightError } from "./weight-error.js";
import { converted, type WeightSource, weightSource } from "./weight-source.js";

export interface CheckpointProgress {
  /** The tensor just finished. */
  readonly tensor: string;
  /** Tensors. */
  readonly done: number;
  readonly total: number;
  /** Input bytes so far. */
  readonly bytes: number;
}

export interface QuantizeRunOptions extends QuantizeCheckpointOptions {
  readonly backend: Backend;
  readonly onProgress?: (progress: CheckpointProgress) => void;
  /** Compare every weight with its original; default true. */
  readonly measure?: boolean;
}

export interface TensorReport {
  readonly name: string;
  readonly file: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly action: "quantized" | "copied";
  readonly reason: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Quantized tensors only. */
  readonly bitsPerWeight?: number;
  readonly error?: WeightError;
}

export interface CheckpointReport {
  readonly format: string;
  readonly blockSize: number;
  readonly nested: boolean;
  readonly profile: string;
  readonly tensors: readonly TensorReport[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Files copied as they are, and files left out because they hold the same weights in another form. */
  readonly copiedFiles: readonly string[];
  readonly skippedFiles: readonly string[];
}

/** Quantizes a checkpoint into a sink and commits it; on any failure the sink is aborted and nothing appears. */
export async function quantizeCheckpoint(
  repository: Repository,
  sink: Sink,
  options: QuantizeRunOptions,
): Promise<CheckpointReport> {
  return commitAfter(sink, async () => {
    const plan = await planQuantization(repository, options);
    try {
      const report = await new Run(plan, sink, options).write(repository);
      throwIfAborted(options.signal, "quantizeCheckpoint()");
      return report;
    } finally {
      await closeShards(plan.shards.shards);
    }
  });
}

/** By name, as the last group of the file is; copies that stand behind that group come last. */
function inFileOrder(tensors: readonly PlannedTensor[]): PlannedTensor[] {
  const behind = ({ entry, quantize: quantized }: PlannedTensor) =>
    Number(!quantized && layoutRank(entry.dtype) > layoutRank("U8"));
  return [...tensors].sort((a, b) => behind(a) - behind(b) || (a.entry.name < b.entry.name ? -1 : 1));
}

/** Writes tensors where a guessed layout puts them, moved by what the quant_states so far were longer or shorter. */
class ShardWriter {
  readonly #guessed: ReadonlyMap<string, TensorEntry>;
  readonly #offsets = new Map<string, number>();
  #shift = 0;
  #last = Promise.resolve();

  constructor(
    readonly file: SinkFile,
    readonly layout: SafetensorsLayout,
  ) {
    this.#guessed = new Map(layout.entries.map((entry) => [entry.name, entry]));
  }

  /** Writes when everything before is written; the caller may go on with the next weight meanwhile. One of them waits, no more. */
  async begin(tensors: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#last;
    this.#last = this.#writeAll(tensors);
    // It is told by whoever asks next.
    this.#last.catch(() => undefined);
  }

  /** Resolves when all is written. */
  finish(): Promise<void> {
    return this.#last;
  }

  async #writeAll(tensors: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const [name, bytes] of tensors) await this.write(name, [bytes]);
  }

  async write(name: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const { dtype, byteOffset, byteLength } = this.#guessed.get(name)!;
    const start = byteOffset + (layoutRank(dtype) >= layoutRank("U8") ? this.#shift : 0);
    let end = start;
    for await (const piece of pieces) {
      await this.file.write(end, piece);
      end += piece.byteLength;
    }
    this.#offsets.set(name, start);
    this.#shift += end - start - byteLength;
  }

  /** Whether everything stands where the final layout wants it. */
  agreesWith({ header, entries }: SafetensorsLayout): boolean {
    return (
      header.byteLength === this.layout.header.byteLength &&
      entries.every(({ name, byteOffset }) => this.#offsets.get(name) === byteOffset)
    );
  }
}

class Run {
  readonly #reports = new Map<string, TensorReport>();
  /** Lengths of quant_states that are known by now. */
  readonly #stateBytes = new Map<string, number>();
  /** Every piece of every tensor is read into it. */
  readonly #piece = new Uint8Array(pieceBytes);
  #doneBytes = 0;

  constructor(
    readonly plan: QuantizationPlan,
    readonly sink: Sink,
    readonly options: QuantizeRunOptions,
  ) {}

  async write(repository: Repository): Promise<CheckpointReport> {
    const { plan, sink, options } = this;
    const placement = new Map<string, string>();
    let totalBytes = 0;
    for (const shard of plan.shards.shards) {
      const layout = await this.#writeShard(shard);
      for (const { name, byteLength } of layout.entries) {
        placement.set(name, shard.file);
        totalBytes += byteLength;
      }
    }
    if (plan.shards.index)
      await writeFileTo(
        sink,
        plan.shards.index.file,
        utf8(rewriteIndex(plan.shards.index.text, placement, totalBytes)),
      );
    const { copied, skipped } = await copyOtherFiles(repository, plan.shards, sink, options.signal);
    if (plan.configText !== undefined)
      await writeFileTo(sink, configName, utf8(withQuantizationConfig(plan.configText, plan.quantization)));
    const tensors = plan.tensors.map(({ entry }) => this.#reports.get(entry.name)!);
    return {
      format: plan.format,
      blockSize: plan.blockSize,
      nested: options.nested ?? false,
      profile: options.profile ?? "reference",
      tensors,
      bytesIn: tensors.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
      bytesOut: totalBytes,
      copiedFiles: copied,
      skippedFiles: skipped,
    };
  }

  /**
   * The header stands before the data and holds the lengths of the quant_states, which nested statistics make known late.
   * They stand in the last group of the file, in the order in which weights are written, so a wrong guess moves only what
   * is still to come. Where that does not hold (the header changes its length), the shard is written again, then exactly.
   */
  async #writeShard(shard: Shard): Promise<SafetensorsLayout> {
    const tensors = inFileOrder(this.plan.tensors.filter((tensor) => tensor.shard === shard));
    for (;;) {
      const guessed = this.#layout(shard, tensors);
      const writer = new ShardWriter(await this.sink.create(shard.file, guessed.byteLength), guessed);
      try {
        for (const tensor of tensors) await this.#writeTensor(tensor, writer);
        await writer.finish();
        const layout = this.#layout(shard, tensors);
        if (!writer.agreesWith(layout)) continue;
        await writer.file.write(0, layout.header);
        return layout;
      } finally {
        await writer.file.close();
      }
    }
  }

  #layout(shard: Shard, tensors: readonly PlannedTensor[]): SafetensorsLayout {
    const specs = tensors.flatMap((tensor) => (tensor.quantize ? this.#weightSpecs(tensor) : [tensor.entry]));
    return layoutSafetensors(specs, shard.safetensors.metadata ?? { format: "pt" });
  }

  #weightSpecs(tensor: PlannedTensor): StoredSpec[] {
    const layout = this.#weightLayout(tensor);
    const { dtype } = weightSource(tensor.shard.safetensors, tensor.entry, tensor.transpose);
    return weightSpecs(layout, this.#stateBytes.get(tensor.entry.name) ?? guessStateBytes(layout, dtype));
  }

  #weightLayout({ shard, entry, transpose }: PlannedTensor): WeightLayout {
    const { shape } = weightSource(shard.safetensors, entry, transpose);
    const { format, blockSize, quantization } = this.plan;
    return {
      name: entry.name,
      shape,
      format,
      blockSize,
      nested: quantization.nested,
      storage: quantization.quantStorage,
    };
  }

  async #writeTensor(tensor: PlannedTensor, writer: ShardWriter): Promise<void> {
    throwIfAborted(this.options.signal, "quantizeCheckpoint()");
    const report = tensor.quantize ? await this.#writeWeight(tensor, writer) : await this.#copyTensor(tensor, writer);
    const again = this.#reports.has(tensor.entry.name);
    this.#reports.set(tensor.entry.name, report);
    if (again) return;
    this.#doneBytes += tensor.entry.byteLength;
    this.options.onProgress?.({
      tensor: tensor.entry.name,
      done: this.#reports.size,
      total: this.plan.tensors.length,
      bytes: this.#doneBytes,
    });
  }

  async #copyTensor({ entry, reason, shard }: PlannedTensor, writer: ShardWriter): Promise<TensorReport> {
    await writer.finish();
    await writer.write(entry.name, piecesOf(shard.safetensors, entry.name, this.options.signal, this.#piece));
    const { name, shape, dtype, byteLength } = entry;
    return {
      name,
      file: shard.file,
      shape,
      dtype,
      action: "copied",
      reason,
      bytesIn: byteLength,
      bytesOut: byteLength,
    };
  }

  async #writeWeight({ entry, reason, transpose, shard }: PlannedTensor, writer: ShardWriter): Promise<TensorReport> {
    const source = weightSource(shard.safetensors, entry, transpose);
    const { host, ...measured } = await this.#quantize(entry.name, source);
    const bytes = weightBytes(entry.name, host);
    await writer.begin(bytes);
    const state = [...bytes].find(([name]) => name.includes(stateMarker));
    if (state) this.#stateBytes.set(entry.name, state[1].byteLength);
    const report = {
      name: entry.name,
      file: shard.file,
      shape: source.shape,
      dtype: entry.dtype,
      action: "quantized",
      reason,
      bytesIn: entry.byteLength,
    } as const;
    const bytesOut = [...bytes.values()].reduce((sum, data) => sum + data.byteLength, 0);
    return { ...report, bytesOut, bitsPerWeight: storedBitsPerWeight(host), ...measured };
  }

  /** Uploads the weight in pieces, quantizes it and reads the result. LLM.int8() sees float16 values, as upstream. */
  async #quantize(name: string, source: WeightSource): Promise<MeasuredWeight> {
    const { profile = "reference", nonFinite = "error", measure = true, signal } = this.options;
    const { format, blockSize, quantization } = this.plan;
    const dtype: Float = getFormat(format).scales === "row" ? "float16" : source.dtype;
    const choice = { format, nested: quantization.nested, profile, nonFinite, ...(signal && { signal }) };
    try {
      using x = await this.#upload(source, dtype);
      using quantized = await quantize(x, blockSize === 0 ? choice : { ...choice, blockSize });
      const host = { ...(await readWeight(quantized, signal)), dtype: source.dtype };
      return measure ? { host, error: await this.#errorOf(quantized, x, source) } : { host };
    } catch (thrown) {
      throw withTensorName(thrown, name, source, dtype !== source.dtype);
    }
  }

  /** Of the values as they are stored: those that were rounded first make room for them. */
  async #errorOf(weight: QuantizedTensor, x: Tensor<Float>, source: WeightSource): Promise<WeightError> {
    if (x.dtype === source.dtype) return weightError(weight, x, this.options.signal);
    x.dispose();
    using stored = await this.#upload(source, source.dtype);
    return weightError(weight, stored, this.options.signal);
  }

  #upload(source: WeightSource, dtype: Float): Promise<Tensor<Float>> {
    const { backend, signal } = this.options;
    return uploadTensor(
      backend,
      dtype,
      source.shape,
      encodedPieces(source.pieces(signal, this.#piece), source.dtype, dtype),
    );
  }
}

interface MeasuredWeight {
  readonly host: HostWeight;
  readonly error?: WeightError;
}

async function* encodedPieces(
  pieces: AsyncIterable<ArrayOf[Float]>,
  from: Float,
  to: Float,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield bytesOf(await converted(piece, from, to));
}

/** A non-finite value is reported with its tensor; a finite one may have overflowed on its way to float16. */
function withTensorName(thrown: unknown, tensor: string, source: WeightSource, rounded: boolean): unknown {
  if (!isHalfbyteError(thrown) || thrown.code !== "NON_FINITE_INPUT") return thrown;
  const index = source.storedIndex(Number(thrown.details["index"]));
  const where = rounded ? "after rounding to float16 (LLM.int8() does so; values above 65504 overflow)" : "in the file";
  return halfbyteError("NON_FINITE_INPUT", `"${tensor}" is NaN or infinite ${where}, first at flat index ${index}.`, {
    details: { tensor, index },
    remedy: `Repair the weight, leave it out with --skip "${tensor}", or pass nonFinite: "propagate" to get what upstream computes.`,
    cause: thrown,
  });
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
