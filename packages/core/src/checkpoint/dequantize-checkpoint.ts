/** The way back: a bitsandbytes checkpoint to plain floats, for tools that read nothing else. */
import type { Backend } from "../backend.js";
import { bytesOf } from "../dtype.js";
import { halfbyteError, throwIfAborted } from "../errors.js";
import { dequantize } from "../quantize.js";
import type { ArrayOf, Float } from "../tensor.js";
import { findStoredWeights, loadWeight, type StoredSpec, type StoredWeight, storedFloats } from "./bitsandbytes.js";
import { copyOtherFiles } from "./copy-files.js";
import { uploadWeight } from "./host-weight.js";
import { piecesOf } from "./open-checkpoint.js";
import { configDtype, configName, parseConfig, withoutQuantizationConfig } from "./quantization-config.js";
import type { CheckpointProgress } from "./quantize-checkpoint.js";
import { layoutSafetensors } from "./safetensors.js";
import { isConv1dWeight } from "./select-weights.js";
import { rewriteIndex } from "./shard-index.js";
import {
  closeShards,
  openShards,
  readText,
  type Shard,
  type ShardSet,
  type TensorStore,
  tensorStore,
} from "./shards.js";
import { commitAfter, type Sink, type SinkFile, writeFileTo } from "./sink.js";
import type { Repository } from "./source.js";
import type { JsonObject } from "./strict-json.js";
import { converted, transposed } from "./weight-source.js";

export interface DequantizeCheckpointOptions {
  readonly backend: Backend;
  /** Default: what each weight was made from; for int8 the config's dtype, else float16. */
  readonly dtype?: Float;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckpointProgress) => void;
}

export interface DequantizeReport {
  readonly weights: readonly string[];
  readonly bytesOut: number;
  readonly copiedFiles: readonly string[];
  readonly skippedFiles: readonly string[];
}

/** Writes a checkpoint with every quantized weight decoded and the quantization_config gone. Throws NOT_QUANTIZED when there is none. */
export async function dequantizeCheckpoint(
  repository: Repository,
  sink: Sink,
  options: DequantizeCheckpointOptions,
): Promise<DequantizeReport> {
  return commitAfter(sink, async () => {
    const shards = await openShards(repository, options.signal);
    try {
      const report = await new Run(repository, shards, sink, options).write();
      throwIfAborted(options.signal, "dequantizeCheckpoint()");
      return report;
    } finally {
      await closeShards(shards.shards);
    }
  });
}

class Run {
  readonly #placement = new Map<string, string>();
  readonly #weights: string[] = [];
  #bytesOut = 0;
  #bytesIn = 0;

  constructor(
    readonly repository: Repository,
    readonly shards: ShardSet,
    readonly sink: Sink,
    readonly options: DequantizeCheckpointOptions,
  ) {}

  async write(): Promise<DequantizeReport> {
    const { repository, shards, sink, options } = this;
    const text = shards.files.includes(configName) ? await readText(repository, configName, options.signal) : undefined;
    const config = text === undefined ? undefined : parseConfig(text);
    const store = tensorStore(repository.name, shards.shards);
    const weights = findStoredWeights(store);
    if (weights.length === 0) throw notQuantized(repository.name);
    for (const shard of shards.shards) await this.#writeShard(shard, store, weights, config);
    if (shards.index)
      await writeFileTo(
        sink,
        shards.index.file,
        utf8(rewriteIndex(shards.index.text, this.#placement, this.#bytesOut)),
      );
    const { copied, skipped } = await copyOtherFiles(repository, shards, sink, options.signal);
    if (text !== undefined) await writeFileTo(sink, configName, utf8(withoutQuantizationConfig(text)));
    return { weights: this.#weights, bytesOut: this.#bytesOut, copiedFiles: copied, skippedFiles: skipped };
  }

  async #writeShard(
    shard: Shard,
    store: TensorStore,
    weights: readonly StoredWeight[],
    config: JsonObject | undefined,
  ): Promise<void> {
    const decoded = new Map<string, { spec: StoredSpec; bytes: () => Promise<Uint8Array> }>();
    for (const weight of weights.filter(({ name }) => shard.safetensors.entries.has(name)))
      decoded.set(weight.name, await this.#decoder(store, weight, config));
    const consumed = new Set(weights.flatMap(({ tensors }) => tensors));
    const copied = [...shard.safetensors.entries.values()].filter(({ name }) => !consumed.has(name));
    const layout = layoutSafetensors(
      [...copied, ...[...decoded.values()].map(({ spec }) => spec)],
      shard.safetensors.metadata ?? { format: "pt" },
    );
    const file = await this.sink.create(shard.file, layout.byteLength);
    await file.write(0, layout.header);
    for (const { name, byteOffset, byteLength } of layout.entries) {
      throwIfAborted(this.options.signal, "dequantizeCheckpoint()");
      const weight = decoded.get(name);
      if (weight) await file.write(byteOffset, await weight.bytes());
      else await this.#copy(shard, name, byteOffset, file);
      this.#placement.set(name, shard.file);
      this.#bytesOut += byteLength;
      if (weight) this.#tell(name, byteLength, weights.length);
    }
    await file.close();
  }

  #tell(tensor: string, byteLength: number, total: number): void {
    this.#weights.push(tensor);
    this.#bytesIn += byteLength;
    this.options.onProgress?.({ tensor, done: this.#weights.length, total, bytes: this.#bytesIn });
  }

  async #copy(shard: Shard, name: string, byteOffset: number, file: SinkFile): Promise<void> {
    let offset = byteOffset;
    for await (const piece of piecesOf(shard.safetensors, name, this.options.signal)) {
      await file.write(offset, piece);
      offset += piece.byteLength;
    }
  }

  /** Shape and dtype now, bytes later; Conv1D weights are turned back. */
  async #decoder(store: TensorStore, weight: StoredWeight, config: JsonObject | undefined) {
    const { signal, backend } = this.options;
    const load = () => loadWeight(store, weight, configDtype(config) ?? "float16", signal);
    const { shape, dtype: original } = await load();
    const dtype = this.options.dtype ?? original;
    const turn = isConv1dWeight(weight.name, config) && shape.length === 2;
    const bytes = async () => {
      using quantized = uploadWeight(backend, await load());
      using values = dequantize(quantized, { dtype: weight.bits === 8 ? "float32" : dtype });
      const rounded = await converted(
        (await values.read(signal ? { signal } : {})) as ArrayOf[Float],
        values.dtype,
        dtype,
      );
      return bytesOf(turn ? await transposed(rounded, shape[0]!, shape[1]!, dtype) : rounded);
    };
    return {
      spec: { name: weight.name, dtype: storedFloats[dtype], shape: turn ? [shape[1]!, shape[0]!] : shape },
      bytes,
    };
  }
}

const notQuantized = (name: string): Error =>
  halfbyteError("NOT_QUANTIZED", `${name} holds no quantized weight.`, { details: { file: name } });

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
