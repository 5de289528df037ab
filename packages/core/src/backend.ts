/**
 * What users hold: one device with an in-order queue. A kernel call validates at once, enqueues and returns tensors that
 * live here; waiting happens in `tensor.read()` and `synchronize()`. It is not a model runtime and moves nothing between
 * devices unasked.
 */
import { BackendTensor, type Block, orDispose, type TensorHost } from "./backend-tensor.js";
import type { Device, Storage } from "./device.js";
import { bytesOf, byteWidth, isArrayOf, isDType } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import { FaultLog } from "./fault.js";
import type { Kernels, OpName, Ops } from "./kernels.js";
import { OperationRunner, type RunnerHost } from "./operation-runner.js";
import type { OpenReport, Reason } from "./registry.js";
import { showShape, sizeOf } from "./shape.js";
import type { ArrayOf, DType, Shape, Tensor } from "./tensor.js";

export interface Backend extends AsyncDisposable {
  readonly name: string;
  readonly tier: string;
  readonly limits: Device["limits"];
  readonly kernels: Kernels;
  readonly report: OpenReport;
  /**
   * Copies `data` before returning unless `adopt`: then the caller leaves it alone until synchronize(). `paged` is for optimizer states that the device has
   * no room for: a device with memory of its own keeps such a tensor in the host's, and only optimizer updates take it, as state1 and state2, with the
   * same results; others ignore the word.
   */
  tensor<D extends DType>(
    dtype: D,
    shape: Shape,
    data: ArrayOf[D] | Uint8Array,
    options?: { adopt?: boolean; paged?: boolean },
  ): Tensor<D>;
  zeros<D extends DType>(dtype: D, shape: Shape, options?: { paged?: boolean }): Tensor<D>;
  /** Which kernel would run these arguments; `composed` when core builds the operation from others on the same device. */
  explain<K extends OpName>(op: K, args: Ops[K]["in"]): Explanation | Reason;
  /** Rejects with the first fault nobody has seen yet. */
  synchronize(): Promise<void>;
  memory(): { tensors: number; bytes: number; packedBytes: number; leaked: number };
  dispose(): Promise<void>;
}

export interface Explanation {
  kernel: string;
  variant: string;
  composed: boolean;
}

/** Wraps a device: validation, shape inference, allocation, composition, faults and lifetimes for every backend. */
export function createBackend(device: Device, report: OpenReport): Backend {
  return new DeviceBackend(device, report);
}

/** Uploads a tensor piece by piece. Nobody writes to a piece until the next one is asked for: by then the device has taken it. */
export async function uploadTensor<D extends DType>(
  backend: Backend,
  dtype: D,
  shape: Shape,
  pieces: AsyncIterable<Uint8Array>,
): Promise<Tensor<D>> {
  const { tensor, write } = (backend as DeviceBackend).reserve(dtype, shape);
  try {
    for await (const piece of pieces) await write(piece);
  } catch (thrown) {
    tensor.dispose();
    throw thrown;
  }
  return tensor;
}

/** The device behind a backend. */
export const deviceOf = (backend: Backend): Device => (backend as DeviceBackend).device;

/** A tensor over storage that its device got otherwise than by allocate(); the backend frees it like any other. */
export const tensorOver = <D extends DType>(
  backend: Backend,
  dtype: D,
  shape: Shape,
  storage: (byteLength: number) => Storage,
): Tensor<D> => (backend as DeviceBackend).over(dtype, shape, storage);

class DeviceBackend implements Backend, TensorHost, RunnerHost {
  readonly log = new FaultLog();
  readonly #runner: OperationRunner;
  readonly #leaks = new FinalizationRegistry<Block>((block) => this.#leak(block));
  #closed: Error | undefined;
  #closing: Promise<void> | undefined;
  #tensors = 0;
  #bytes = 0;
  #leaked = 0;

  constructor(
    readonly device: Device,
    readonly report: OpenReport,
  ) {
    this.#runner = new OperationRunner(this);
    void device.lost.then((reason) => this.#lose(reason));
  }

  get backend(): Backend {
    return this;
  }
  get name(): string {
    return this.device.name;
  }
  get tier(): string {
    return this.device.tier;
  }
  get limits(): Device["limits"] {
    return this.device.limits;
  }
  get kernels(): Kernels {
    return this.#runner.kernels;
  }

  tensor<D extends DType>(
    dtype: D,
    shape: Shape,
    data: ArrayOf[D] | Uint8Array,
    options: { adopt?: boolean; paged?: boolean } = {},
  ): Tensor<D> {
    const bytes = this.#checkedBytes(dtype, shape, data);
    const tensor = this.allocate(dtype, shape, options);
    return orDispose([tensor], () => {
      this.device.write(tensor.block.storage, 0, bytes, options.adopt ?? false);
      return tensor;
    });
  }

  zeros<D extends DType>(dtype: D, shape: Shape, options: { paged?: boolean } = {}): Tensor<D> {
    return this.allocate(dtype, shape, { ...options, zeroed: true });
  }

  /** An empty tensor and a function that appends bytes to it; it resolves when the device has taken them. */
  reserve<D extends DType>(dtype: D, shape: Shape): { tensor: Tensor<D>; write: (bytes: Uint8Array) => Promise<void> } {
    const tensor = this.allocate(dtype, shape);
    let offset = 0;
    const write = async (bytes: Uint8Array) => {
      this.device.write(tensor.block.storage, offset, bytes, true);
      offset += bytes.byteLength;
      await this.device.drain();
    };
    return { tensor, write };
  }

  over<D extends DType>(dtype: D, shape: Shape, storage: (byteLength: number) => Storage): BackendTensor<D> {
    this.ensureOpen();
    if (!isDType(dtype)) throw halfbyteError("INVALID_ARGUMENT", `There is no dtype "${String(dtype)}".`);
    const byteLength = sizeOf(shape) * byteWidth(dtype);
    const { maxTensorBytes } = this.device.limits;
    if (byteLength > maxTensorBytes) throw tooLarge(shape, byteLength, maxTensorBytes);
    const block: Block = { storage: storage(byteLength), byteLength, handles: 0, faults: [] };
    return new BackendTensor<D>(this, dtype, [...shape], block);
  }

  explain<K extends OpName>(op: K, args: Ops[K]["in"]): Explanation | Reason {
    this.ensureOpen();
    return this.#runner.explain(op, args);
  }

  async synchronize(): Promise<void> {
    this.ensureOpen();
    await this.device.drain();
    await this.log.tellFirst();
  }

  memory(): { tensors: number; bytes: number; packedBytes: number; leaked: number } {
    return {
      tensors: this.#tensors,
      bytes: this.#bytes,
      packedBytes: this.device.packedBytes ?? 0,
      leaked: this.#leaked,
    };
  }

  async dispose(): Promise<void> {
    this.#closed ??= halfbyteError("BACKEND_CLOSED", `Backend "${this.name}" was disposed.`);
    await this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  // ── TensorHost and RunnerHost ──
  ensureOpen(): void {
    if (this.#closed) throw this.#closed;
  }

  opened(handle: BackendTensor): void {
    this.#tensors++;
    if (handle.block.handles === 1) this.#bytes += handle.block.byteLength;
    this.#leaks.register(handle, handle.block, handle);
  }

  dropped(handle: BackendTensor): void {
    this.#leaks.unregister(handle);
    this.#drop(handle.block);
  }

  allocate<D extends DType>(
    dtype: D,
    shape: Shape,
    { zeroed = false, paged = false }: { zeroed?: boolean; paged?: boolean } = {},
  ): BackendTensor<D> {
    return this.over(dtype, shape, (byteLength) =>
      paged ? this.device.allocate(byteLength, zeroed, { paged }) : this.device.allocate(byteLength, zeroed),
    );
  }

  #drop(block: Block): void {
    this.#tensors--;
    if (--block.handles > 0) return;
    this.#bytes -= block.byteLength;
    if (!this.#closed) this.device.free(block.storage);
  }

  /** A handle was garbage-collected without dispose(): its memory is returned, and counted. */
  #leak(block: Block): void {
    this.#leaked++;
    this.#drop(block);
  }

  async #lose(reason: Reason): Promise<void> {
    this.#closed ??= halfbyteError("DEVICE_LOST", reason.message, { remedy: reason.remedy });
    await this.#close().catch(() => undefined);
  }

  /** Once: a device that is being closed may report itself lost. */
  #close(): Promise<void> {
    this.#closing ??= this.device.close();
    return this.#closing;
  }

  #checkedBytes<D extends DType>(dtype: D, shape: Shape, data: ArrayOf[D] | Uint8Array): Uint8Array {
    const isRaw = data instanceof Uint8Array;
    if (!isRaw && !(isDType(dtype) && isArrayOf(dtype, data)))
      throw halfbyteError("DTYPE_MISMATCH", `The data is not an array of ${String(dtype)}.`, {
        details: { expected: String(dtype) },
      });
    const expected = sizeOf(shape) * byteWidth(dtype);
    if (data.byteLength === expected) return bytesOf(data);
    throw halfbyteError(
      "SHAPE_MISMATCH",
      `${data.byteLength} bytes of data do not fill a ${dtype} tensor of shape ${showShape(shape)}, which takes ${expected}.`,
      {
        details: { shape: [...shape], found: data.byteLength, expected },
      },
    );
  }
}

function tooLarge(shape: Shape, found: number, limit: number): Error {
  return halfbyteError(
    "OUT_OF_MEMORY",
    `A tensor of shape ${showShape(shape)} takes ${found} bytes; this device allows ${limit} for one tensor.`,
    {
      details: { shape: [...shape], found, expected: limit },
    },
  );
}
