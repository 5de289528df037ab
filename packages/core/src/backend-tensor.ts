/** Tensor handles over counted storage. */
import type { Backend } from "./backend.js";
import type { Device, Storage } from "./device.js";
import { bytesOf, byteWidth, newArray } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import { type Fault, openFaults, tellAll } from "./fault.js";
import { sameShape, showShape, sizeOf } from "./shape.js";
import { storageKey } from "./storage.js";
import type { ArrayOf, DType, Shape, Tensor } from "./tensor.js";

/** Storage shared by the handles made from each other with `reshape`. */
export interface Block {
  readonly storage: Storage;
  readonly byteLength: number;
  handles: number;
  /** Faults of the operations this content derives from. */
  faults: readonly Fault[];
}

/** What a handle needs from the backend that made it. */
export interface TensorHost {
  readonly backend: Backend;
  readonly device: Device;
  /** Throws BACKEND_CLOSED or DEVICE_LOST. */
  ensureOpen(): void;
  opened(handle: BackendTensor): void;
  dropped(handle: BackendTensor): void;
}

export class BackendTensor<D extends DType = DType> implements Tensor<D> {
  readonly size: number;
  readonly byteLength: number;
  #disposed = false;

  constructor(
    readonly host: TensorHost,
    readonly dtype: D,
    readonly shape: Shape,
    readonly block: Block,
  ) {
    this.size = sizeOf(shape);
    this.byteLength = this.size * byteWidth(dtype);
    block.handles++;
    host.opened(this);
  }

  get backend(): Backend {
    return this.host.backend;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  get [storageKey](): Storage | undefined {
    return this.#disposed ? undefined : this.block.storage;
  }

  async read({ signal }: { signal?: AbortSignal } = {}): Promise<ArrayOf[D]> {
    this.#ensureUsable();
    const faults = openFaults(this.block.faults);
    const out = this.#hostArray();
    await this.host.device.read(this.block.storage, 0, bytesOf(out), signal);
    await tellAll(faults);
    return out;
  }

  reshape(shape: Shape): Tensor<D> {
    this.#ensureUsable();
    if (sizeOf(shape) !== this.size) throw reshapeMismatch(this.shape, shape);
    return new BackendTensor(this.host, this.dtype, [...shape], this.block);
  }

  async to(backend: Backend): Promise<Tensor<D>> {
    if (backend === this.backend) return this.reshape(this.shape);
    return backend.tensor(this.dtype, this.shape, await this.read(), { adopt: true });
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.host.dropped(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #hostArray(): ArrayOf[D] {
    try {
      return newArray(this.dtype, this.size);
    } catch (cause) {
      throw halfbyteError("OUT_OF_MEMORY", `Cannot allocate ${this.byteLength} bytes of host memory.`, { cause });
    }
  }

  #ensureUsable(): void {
    if (this.#disposed)
      throw halfbyteError("TENSOR_DISPOSED", `A tensor of shape ${showShape(this.shape)} was used after dispose().`);
    this.host.ensureOpen();
  }
}

function reshapeMismatch(from: Shape, to: Shape): Error {
  return halfbyteError(
    "SHAPE_MISMATCH",
    `A tensor of shape ${showShape(from)} cannot become ${showShape(to)}: the sizes differ.`,
    {
      details: { found: showShape(from), expected: showShape(to) },
    },
  );
}

/** Whether a supplied output fits. */
export const fits = (tensor: Tensor, dtype: DType, shape: Shape): boolean =>
  tensor.dtype === dtype && sameShape(tensor.shape, shape);

/** Runs `body`; when it throws, nothing of what was allocated for it stays behind. */
export function orDispose<T>(tensors: readonly Tensor[], body: () => T): T {
  try {
    return body();
  } catch (thrown) {
    for (const tensor of tensors) tensor.dispose();
    throw thrown;
  }
}
