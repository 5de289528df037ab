/** A Device over a GPUDevice: storage is a pooled buffer, every operation one dispatch in the GPU's own queue. */
import {
  type Device,
  getFormat,
  halfbyteError,
  type Launch,
  messageOf,
  type OpName,
  type Ops,
  type Reason,
  type Storage,
  throwIfAborted,
} from "@halfbyte/core";
import { tierOf } from "./adapter.js";
import { BufferPool, type PooledBuffer, usage, WebgpuStorage, webgpuOf, wholeWords } from "./buffers.js";
import { HeldQueue } from "./held-queue.js";
import { type Dispatch, grid } from "./kernels/dispatch.js";
import { mergeWord } from "./kernels/merge-word.js";
import { type Operation, operations } from "./operations.js";
import { Pipelines } from "./pipelines.js";
import { splitWrite } from "./split-write.js";

export interface WebgpuDeviceOptions {
  /** The caller's own device outlives this one. */
  readonly isForeign?: boolean;
}

export class WebgpuDevice implements Device {
  readonly name = "webgpu";
  readonly tier: string;
  readonly limits: Device["limits"];
  readonly lost: Promise<Reason>;
  readonly pipelines: Pipelines;
  readonly #gpu: GPUDevice;
  readonly #isForeign: boolean;
  readonly #queue = new HeldQueue();
  readonly #storages: BufferPool;
  readonly #readbacks: BufferPool;
  /** Written before every dispatch: writes and dispatches are in one order. */
  readonly #params: GPUBuffer;
  readonly #tables = new Map<Float32Array, Storage>();
  readonly #reads = new Set<Promise<void>>();
  #loss: Reason | undefined;
  #closing: Promise<void> | undefined;

  constructor(gpu: GPUDevice, { isForeign = false }: WebgpuDeviceOptions = {}) {
    this.#gpu = gpu;
    this.#isForeign = isForeign;
    this.tier = tierOf(gpu.features);
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.limits;
    this.limits = { maxTensorBytes: Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / 4) * 4 };
    this.pipelines = new Pipelines(gpu);
    this.#storages = new BufferPool(gpu, usage.storage | usage.copySource | usage.copyTarget);
    this.#readbacks = new BufferPool(gpu, usage.mapRead | usage.copyTarget);
    this.#params = gpu.createBuffer({ size: 256, usage: usage.uniform | usage.copyTarget });
    this.lost = new Promise((resolve) => void gpu.lost.then((info) => this.#lose(info, resolve)));
  }

  /** Buffers in use, of tensors and of reads under way; codebooks stay until the end and are not counted. */
  get liveBuffers(): number {
    return this.#storages.live - this.#tables.size + this.#readbacks.live;
  }

  allocate(byteLength: number, zeroed: boolean): Storage {
    this.#expectAlive();
    const { buffer, allocated } = this.#storages.take(byteLength);
    const storage = new WebgpuStorage(buffer, byteLength, allocated);
    if (zeroed) this.#queue.enqueue(() => this.#encode((encoder) => encoder.clearBuffer(buffer)));
    return storage as unknown as Storage;
  }

  write(target: Storage, byteOffset: number, bytes: Uint8Array, adopt = false): void {
    const { buffer, byteLength } = webgpuOf(target);
    // Only a held queue looks at the bytes later.
    const taken = this.#queue.isHeld && !adopt ? new Uint8Array(bytes) : bytes;
    const { words, edges } = splitWrite(taken, byteOffset, byteLength);
    for (const { offset, bytes: slice } of words)
      this.#queue.enqueue(() => this.#gpu.queue.writeBuffer(buffer, offset, slice as Uint8Array<ArrayBuffer>));
    for (const edge of edges) this.#run(mergeWord(target, edge));
  }

  read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const reading = this.#read(source, byteOffset, into, signal);
    const ended = () => void this.#reads.delete(reading);
    this.#reads.add(reading);
    reading.then(ended, ended);
    return reading;
  }

  async #read(source: Storage, byteOffset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, "Reading a tensor");
    if (into.byteLength === 0) return this.drain();
    const storage = webgpuOf(source);
    const skipped = byteOffset % 4;
    const mapped = wholeWords(skipped + into.byteLength);
    const staging = this.#readbacks.take(mapped);
    try {
      await this.#copyOut(storage, byteOffset - skipped, staging, mapped);
      throwIfAborted(signal, "Reading a tensor");
      into.set(new Uint8Array(staging.buffer.getMappedRange(0, mapped), skipped, into.byteLength));
    } finally {
      // Where nothing was mapped, this does nothing.
      staging.buffer.unmap();
      this.#readbacks.release(staging.buffer);
    }
  }

  free(target: Storage): void {
    this.#queue.enqueue(() => this.#storages.release(webgpuOf(target).buffer));
  }

  select<K extends OpName>(op: K, args: Ops[K]["in"]): Launch<K> | Reason {
    const operation: Operation<K> | undefined = operations[op];
    if (!operation) return unsupported(`there is no WebGPU kernel for ${op}.`);
    const why = operation.refuse?.(args);
    if (why !== undefined) return unsupported(why);
    return {
      kernel: op,
      variant: "t0",
      run: (given, out) => {
        const dispatch = operation.dispatch(this, given, out);
        return dispatch && this.#run(dispatch);
      },
    };
  }

  /** The codebook of a format, uploaded when first asked for. */
  table(format: string): Storage {
    const { code } = getFormat(format);
    const known = this.#tables.get(code);
    if (known) return known;
    const storage = this.allocate(code.byteLength, false);
    this.write(storage, 0, new Uint8Array(code.buffer, code.byteOffset, code.byteLength));
    this.#tables.set(code, storage);
    return storage;
  }

  async drain(): Promise<void> {
    await this.#queue.passed();
    // A lost device may reject; what it means is said below.
    await this.#gpu.queue.onSubmittedWorkDone().catch(() => undefined);
    this.#expectAlive();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Enqueues; the check tells what the launch is not there to see. */
  #run(dispatch: Dispatch): () => Promise<void> {
    const compiled = this.pipelines.get(dispatch);
    const storages = dispatch.storages.map(webgpuOf);
    let validated: Promise<void> | undefined;
    const passed = this.#queue.enqueue(
      () => (validated = this.#submit(compiled.pipeline!, dispatch, storages)),
      compiled.pipeline ? undefined : compiled.ready,
    );
    const allocated = storages.map((storage) => storage.allocated);
    return async () => {
      await Promise.all(allocated);
      await passed;
      await validated;
      this.#expectAlive();
    };
  }

  /** Resolves when the GPU has accepted it, not when it is done. */
  #submit(pipeline: GPUComputePipeline, dispatch: Dispatch, storages: readonly WebgpuStorage[]): Promise<void> {
    this.#gpu.pushErrorScope("validation");
    this.#gpu.queue.writeBuffer(this.#params, 0, dispatch.params as Uint32Array<ArrayBuffer>);
    const bound = storages.map(({ buffer, boundBytes }) => ({ buffer, size: boundBytes }));
    const entries = [{ buffer: this.#params }, ...bound].map((resource, binding) => ({ binding, resource }));
    const group = this.#gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    this.#encode((encoder) => {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...grid(dispatch.workgroups));
      pass.end();
    });
    return accepted(this.#gpu.popErrorScope(), dispatch.kernel);
  }

  #encode(commands: (encoder: GPUCommandEncoder) => void): void {
    const encoder = this.#gpu.createCommandEncoder();
    commands(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
  }

  async #copyOut(source: WebgpuStorage, offset: number, staging: PooledBuffer, byteLength: number): Promise<void> {
    const copy = (encoder: GPUCommandEncoder) =>
      encoder.copyBufferToBuffer(source.buffer, offset, staging.buffer, 0, byteLength);
    const passed = this.#queue.enqueue(() => this.#encode(copy));
    await Promise.all([source.allocated, staging.allocated, passed]);
    this.#expectAlive();
    try {
      await staging.buffer.mapAsync(usage.mapRead, 0, byteLength);
    } catch (cause) {
      this.#expectAlive();
      throw halfbyteError("KERNEL_FAILED", `Reading failed: ${messageOf(cause)}`, { cause });
    }
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
    await Promise.allSettled(this.#reads);
    this.#storages.destroy();
    this.#readbacks.destroy();
    this.#params.destroy();
    this.#tables.clear();
    if (!this.#isForeign) this.#gpu.destroy();
  }
}

/** Made apart from the launch, so that it does not keep the operation's tensors alive. */
function accepted(scope: Promise<GPUError | null>, kernel: string): Promise<void> {
  const outcome = scope.then((error) => {
    if (error) throw halfbyteError("KERNEL_FAILED", `The GPU refused the kernel ${kernel}: ${error.message}`);
  });
  // Told by whoever reads; nobody has to.
  outcome.catch(() => undefined);
  return outcome;
}

function unsupported(message: string): Reason {
  const { code, remedy } = halfbyteError("UNSUPPORTED_KERNEL", message);
  return { code, message, remedy };
}
