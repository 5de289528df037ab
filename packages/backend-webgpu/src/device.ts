/** A Device over a GPUDevice: storage is pooled buffers, every operation some dispatches in the GPU's own queue. */
import {
  type Detection,
  type Device,
  getFormat,
  halfbyteError,
  type Launch,
  type OpenReport,
  type OpName,
  type Ops,
  type Reason,
  type Storage,
  storageOf,
  type Tensor,
} from "@halfbyte/core";
import { webgpuOf } from "./buffers.js";
import { CommandStream } from "./command-stream.js";
import { FaultWords } from "./fault-words.js";
import { HeldQueue } from "./held-queue.js";
import { Memory } from "./memory.js";
import { mergeWord } from "./merge-word.js";
import { type AlterShader, Pipelines } from "./pipelines.js";
import { Qualification } from "./qualification.js";
import { type Engine, Recording } from "./recording.js";
import { type TraitOptions, type Traits, tierName, traitsOf } from "./traits.js";
import { type Candidate, type VariantReport, Variants } from "./variants.js";

export interface WebgpuDeviceOptions extends TraitOptions {
  /** The caller's own device outlives this one. */
  readonly isForeign?: boolean;
  readonly alterShader?: AlterShader;
  readonly operations?: readonly OpName[];
}

/** Of a tensor, at most: no adapter has that much memory. */
const mostPieces = 64;

export class WebgpuDevice implements Device {
  readonly name = "webgpu";
  readonly tier: string;
  readonly traits: Traits;
  readonly limits: Device["limits"];
  readonly lost: Promise<Reason>;
  readonly pipelines: Pipelines;
  readonly #gpu: GPUDevice;
  readonly #options: WebgpuDeviceOptions;
  readonly #queue = new HeldQueue();
  readonly #commands: CommandStream;
  readonly #memory: Memory;
  readonly #variants: Variants;
  readonly #engine: Engine;
  readonly #tables = new Map<Float32Array, Storage>();
  #loss: Reason | undefined;
  #closing: Promise<void> | undefined;

  constructor(gpu: GPUDevice, options: WebgpuDeviceOptions) {
    this.#gpu = gpu;
    this.#options = options;
    this.traits = traitsOf(gpu, options);
    this.tier = tierName(this.traits);
    this.limits = { maxTensorBytes: mostPieces * this.traits.pieceBytes };
    this.pipelines = new Pipelines(gpu, options.alterShader);
    this.#commands = new CommandStream(gpu);
    this.#memory = this.#createMemory();
    this.#variants = new Variants(this.traits, options.operations);
    this.#engine = this.#createEngine();
    this.lost = new Promise((resolve) => void gpu.lost.then((info) => this.#lose(info, resolve)));
  }

  /** The GPU's own, of one buffer and of what a kernel sees of it. */
  get bufferLimits(): Pick<GPUSupportedLimits, "maxBufferSize" | "maxStorageBufferBindingSize"> {
    return this.#gpu.limits;
  }

  /** Buffers in use, of tensors and of reads under way; codebooks stay until the end and are not counted. */
  get liveBuffers(): number {
    return this.#memory.liveBuffers;
  }

  allocate(byteLength: number, zeroed: boolean): Storage {
    return this.#memory.allocate(byteLength, zeroed);
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    this.#memory.write(target, byteOffset, bytes, adopt);
  }

  async read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (into.byteLength === 0) return this.drain();
    await this.#memory.read(source, byteOffset, into, signal);
  }

  free(target: Storage): void {
    this.#memory.free(target);
  }

  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason {
    const choice = this.#variants.choose(op, args);
    return "variant" in choice ? this.#launch(choice) : choice;
  }

  /** The launch of one variant, whatever was found out about it. */
  launchOf<K extends OpName>(candidate: Candidate<K>, args: Ops[K]["in"]): Launch<K> | Reason {
    return this.#variants.refusal(candidate, args) ?? this.#launch(candidate);
  }

  /** Every variant of every kernel, and what the self-test found. */
  variants(): VariantReport[] {
    return this.#variants.report();
  }

  selfTest(detection: Detection): Promise<OpenReport["selfTest"]> {
    return new Qualification(this, this.#variants, { isRemembered: !this.#options.alterShader }).run(detection);
  }

  /** Nanoseconds the GPU takes for what `enqueue` launches, of kernels that are compiled. Undefined where the device has no timestamps. */
  async time(enqueue: () => void): Promise<number | undefined> {
    await this.pipelines.ready();
    await this.#queue.passed();
    return this.#commands.time(enqueue);
  }

  async drain(): Promise<void> {
    await this.#queue.passed();
    this.#commands.flush();
    // A lost device may reject; what it means is said below.
    await this.#gpu.queue.onSubmittedWorkDone().catch(() => undefined);
    this.#expectAlive();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #launch<K extends OpName>({ kernel, variant }: Candidate<K>): Launch<K> {
    const origin = { kernel: kernel.name, variant: variant.name };
    return {
      ...origin,
      run: (args, out) => {
        const recording = new Recording(this.#engine);
        variant.launch(recording, args, out);
        for (const tensor of Object.values<Tensor>(out)) webgpuOf(storageOf(tensor)).origin = origin;
        return recording.finish();
      },
    };
  }

  #createMemory(): Memory {
    return new Memory(this.#gpu, this.#queue, this.#commands, {
      pieceBytes: this.traits.pieceBytes,
      merge: (target, edge) => new Recording(this.#engine).run(mergeWord(target, edge)),
      expectAlive: () => this.#expectAlive(),
    });
  }

  #createEngine(): Engine {
    const memory = this.#memory;
    const faults = new FaultWords({
      allocate: (byteLength) => memory.allocateOwn(byteLength),
      read: (storage, into) => memory.read(storage, 0, into),
      free: (storage) => memory.free(storage),
    });
    const [queue, commands, { traits, pipelines }] = [this.#queue, this.#commands, this];
    const table = (format: string) => this.#table(format);
    return { traits, queue, commands, pipelines, memory, faults, table, expectAlive: () => this.#expectAlive() };
  }

  /** Uploaded when first asked for. */
  #table(format: string): Storage {
    const { code } = getFormat(format);
    const known = this.#tables.get(code);
    if (known) return known;
    const storage = this.#memory.allocateOwn(code.byteLength);
    this.#memory.write(storage, 0, new Uint8Array(code.buffer, code.byteOffset, code.byteLength), false);
    this.#tables.set(code, storage);
    return storage;
  }

  #lose({ message }: GPUDeviceLostInfo, resolve: (reason: Reason) => void): void {
    if (this.#closing) return;
    const { code, remedy } = halfbyteError("DEVICE_LOST", message);
    this.#loss = { code, message: `The GPU device was lost: ${message || "no reason given"}`, remedy };
    resolve(this.#loss);
  }

  #expectAlive(): void {
    if (this.#loss) throw halfbyteError("DEVICE_LOST", this.#loss.message);
  }

  async #close(): Promise<void> {
    await this.drain().catch(() => undefined);
    await this.#memory.destroy();
    this.#commands.destroy();
    this.#tables.clear();
    if (!this.#options.isForeign) this.#gpu.destroy();
  }
}
