/** Reading a checkpoint: names, tensors, quantized weights with their side tensors consumed, config. */
import type { Backend } from "../backend.js";
import { uploadTensor } from "../backend.js";
import { halfbyteError } from "../errors.js";
import type { QuantizedTensor } from "../quantized-tensor.js";
import { openBackend } from "../registry.js";
import type { DType, Tensor } from "../tensor.js";
import { findStoredWeights, loadWeight, type StoredWeight } from "./bitsandbytes.js";
import { type HostWeight, uploadWeight } from "./host-weight.js";
import { configDtype, configName, parseConfig } from "./quantization-config.js";
import type { ReadOptions, SafetensorsFile, TensorEntry } from "./safetensors.js";
import { closeShards, openShards, readText, type Shard, type TensorStore, tensorStore } from "./shards.js";
import type { Repository } from "./source.js";
import type { StoredDType } from "./stored-dtype.js";
import type { JsonObject } from "./strict-json.js";

export interface CheckpointEntry extends TensorEntry {
  /** The shard that holds it. */
  readonly file: string;
}

export interface Checkpoint {
  readonly name: string;
  /** Every stored tensor, side tensors included. */
  names(): readonly string[];
  /** Throws TENSOR_NOT_FOUND. */
  entry(name: string): CheckpointEntry;
  /** The quantized weights. */
  quantizedNames(): readonly string[];
  /** Raw bytes of a stored tensor, of any dtype. */
  read(name: string, options?: ReadOptions): Promise<Uint8Array>;
  /** A stored tensor on the backend. Throws DTYPE_MISMATCH for dtypes that backends do not compute with. */
  tensor(name: string, options?: { signal?: AbortSignal }): Promise<Tensor>;
  /** A quantized weight on the backend. Throws NOT_QUANTIZED, SIDE_TENSOR_… or QUANT_STATE_…. */
  quantized(name: string, options?: { signal?: AbortSignal }): Promise<QuantizedTensor>;
  /** A quantized weight as host arrays. */
  hostWeight(name: string, options?: { signal?: AbortSignal }): Promise<HostWeight>;
  /** config.json, undefined when there is none. */
  readonly config: JsonObject | undefined;
  close(): Promise<void>;
}

export interface OpenCheckpointOptions {
  /** Where tensors go; by default the one `openBackend()` opens, when first needed. */
  readonly backend?: Backend;
  readonly signal?: AbortSignal;
}

export const backendDtypes: Readonly<Partial<Record<StoredDType, DType>>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I8: "int8",
  U8: "uint8",
  I32: "int32",
};
/** Bytes of a tensor that are on their way at once. */
export const pieceBytes = 8 << 20;

/** Reads and checks every header and config.json; tensors are read when asked for. */
export async function openCheckpoint(repository: Repository, options: OpenCheckpointOptions = {}): Promise<Checkpoint> {
  const { shards, files } = await openShards(repository, options.signal);
  try {
    const config = files.includes(configName)
      ? parseConfig(await readText(repository, configName, options.signal))
      : undefined;
    return new OpenedCheckpoint(repository.name, shards, config, options.backend);
  } catch (thrown) {
    await closeShards(shards);
    throw thrown;
  }
}

class OpenedCheckpoint implements Checkpoint {
  readonly #home = new Map<string, Shard>();
  readonly #store: TensorStore;
  readonly #weights = new Map<string, StoredWeight>();
  #backend: Promise<Backend> | undefined;

  constructor(
    readonly name: string,
    readonly shards: readonly Shard[],
    readonly config: JsonObject | undefined,
    backend: Backend | undefined,
  ) {
    this.#backend = backend && Promise.resolve(backend);
    for (const shard of shards) for (const tensor of shard.safetensors.entries.keys()) this.#home.set(tensor, shard);
    this.#store = tensorStore(name, shards);
    for (const weight of findStoredWeights(this.#store)) this.#weights.set(weight.name, weight);
  }

  names(): readonly string[] {
    return [...this.#home.keys()];
  }

  quantizedNames(): readonly string[] {
    return [...this.#weights.keys()];
  }

  entry(name: string): CheckpointEntry {
    const { file, safetensors } = this.#shard(name);
    return { ...safetensors.entry(name), file };
  }

  async read(name: string, options?: ReadOptions): Promise<Uint8Array> {
    return this.#shard(name).safetensors.read(name, options);
  }

  async tensor(name: string, { signal }: { signal?: AbortSignal } = {}): Promise<Tensor> {
    const { dtype, shape } = this.entry(name);
    const wanted = backendDtypes[dtype];
    if (!wanted)
      throw halfbyteError(
        "DTYPE_MISMATCH",
        `"${name}" is ${dtype}, which no backend computes with; read() gives its bytes.`,
        { details: { tensor: name, found: dtype } },
      );
    return uploadTensor(
      await this.#openBackend(),
      wanted,
      shape,
      piecesOf(this.#shard(name).safetensors, name, signal),
    );
  }

  async hostWeight(name: string, { signal }: { signal?: AbortSignal } = {}): Promise<HostWeight> {
    const stored = this.#weights.get(name);
    if (!stored) throw this.#notQuantized(name);
    return loadWeight(this.#store, stored, configDtype(this.config) ?? "float16", signal);
  }

  async quantized(name: string, options: { signal?: AbortSignal } = {}): Promise<QuantizedTensor> {
    const host = await this.hostWeight(name, options);
    return uploadWeight(await this.#openBackend(), host);
  }

  close(): Promise<void> {
    return closeShards(this.shards);
  }

  #shard(name: string): Shard {
    const shard = this.#home.get(name);
    if (shard) return shard;
    throw halfbyteError("TENSOR_NOT_FOUND", `${this.name} has no tensor "${name}".`, { details: { tensor: name } });
  }

  #notQuantized(name: string): Error {
    this.#shard(name);
    return halfbyteError("NOT_QUANTIZED", `"${name}" of ${this.name} is not a quantized weight.`, {
      details: { tensor: name },
    });
  }

  #openBackend(): Promise<Backend> {
    this.#backend ??= openBackend();
    return this.#backend;
  }
}

/** A tensor's bytes in pieces. With `into`, a piece holds until the next one is asked for. */
export async function* piecesOf(
  file: SafetensorsFile,
  name: string,
  signal?: AbortSignal,
  into?: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { byteLength } = file.entry(name);
  for (let offset = 0; offset < byteLength; offset += pieceBytes) {
    const length = Math.min(pieceBytes, byteLength - offset);
    yield await file.read(name, { offset, length, ...(signal && { signal }), ...(into && { into }) });
  }
}
