/**
 * What users hold: one device with an in-order queue. A kernel call validates at once, enqueues and returns tensors that
 * live here; waiting happens in `tensor.read()` and `synchronize()`. It is not a model runtime and moves nothing between
 * devices unasked.
 */
import { BackendTensor, type Block, fits, type TensorHost } from "./backend-tensor.js";
import type { Device, Launch, Storage, StorageOptions } from "./device.js";
import { bytesOf, byteWidth, dtypes, isArrayOf, isDType } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import { Fault, FaultLog, openFaults } from "./fault.js";
import { type Kernels, type OpName, type Ops, opNames } from "./kernels.js";
import { operations } from "./operations/index.js";
import { type CompositionStep, expectTensor, type Plan } from "./operations/operation.js";
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

const isLaunch = <K extends OpName>(choice: Launch<K> | Reason): choice is Launch<K> => "run" in choice;

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

class DeviceBackend implements Backend, TensorHost {
  readonly kernels: Kernels;
  readonly #log = new FaultLog();
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
    this.kernels = Object.fromEntries(opNames.map((op) => [op, this.#kernel(op)])) as unknown as Kernels;
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

  tensor<D extends DType>(
    dtype: D,
    shape: Shape,
    data: ArrayOf[D] | Uint8Array,
    options: { adopt?: boolean; paged?: boolean } = {},
  ): Tensor<D> {
    const bytes = this.#checkedBytes(dtype, shape, data);
    const tensor = this.#allocate(dtype, shape, false, options);
    return orDispose([tensor], () => {
      this.device.write(tensor.block.storage, 0, bytes, options.adopt ?? false);
      return tensor;
    });
  }

  zeros<D extends DType>(dtype: D, shape: Shape, options: { paged?: boolean } = {}): Tensor<D> {
    return this.#allocate(dtype, shape, true, options);
  }

  /** An empty tensor and a function that appends bytes to it; it resolves when the device has taken them. */
  reserve<D extends DType>(dtype: D, shape: Shape): { tensor: Tensor<D>; write: (bytes: Uint8Array) => Promise<void> } {
    const tensor = this.#allocate(dtype, shape, false);
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
    const operation = operations[op];
    const plan = operation.plan(args);
    this.#expectOwn(plan);
    return this.#explainStep({ op, args } as CompositionStep);
  }

  async synchronize(): Promise<void> {
    this.ensureOpen();
    await this.device.drain();
    await this.#log.tellFirst();
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

  // ── TensorHost ──
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

  #allocate<D extends DType>(dtype: D, shape: Shape, zeroed: boolean, options?: StorageOptions): BackendTensor<D> {
    return this.over(dtype, shape, (byteLength) =>
      options?.paged ? this.device.allocate(byteLength, zeroed, options) : this.device.allocate(byteLength, zeroed),
    );
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

  // ── Running operations ──
  #kernel<K extends OpName>(op: K) {
    return (args: Ops[K]["in"], into: Partial<Ops[K]["out"]> = {}): Ops[K]["out"] => {
      this.ensureOpen();
      const plan = operations[op].plan(args);
      this.#expectOwn(plan);
      expectDistinct(op, plan);
      const choice = this.device.select(op, args);
      const compose = isLaunch(choice) ? undefined : this.#composition({ op, args } as CompositionStep, choice);
      const { out, fresh } = this.#outputs(op, plan, into);
      return orDispose(fresh, () => {
        if (isLaunch(choice)) this.#attachFaults(plan, out, choice.run(args, out));
        else compose!(out);
        return out;
      });
    };
  }

  /** Runs an operation the device lacks from others on the same device. Throws UNSUPPORTED_KERNEL when a part is missing too. */
  #composition(step: CompositionStep, reason: Reason): (out: Ops[OpName]["out"]) => void {
    const { compose } = operations[step.op];
    if (!compose || isReason(this.#explainStep(step))) throw unsupported(this.name, step.op, reason);
    const run = compose.run as (kernels: Kernels, args: CompositionStep["args"], out: Ops[OpName]["out"]) => void;
    return (out) => run(this.kernels, step.args, out);
  }

  #explainStep({ op, args }: CompositionStep): Explanation | Reason {
    const choice = this.device.select(op, args as never);
    if (isLaunch(choice)) return { kernel: choice.kernel, variant: choice.variant, composed: false };
    const { compose } = operations[op];
    const steps = compose?.steps(args as never, (dtype, shape) => this.#phantom(dtype, shape)) ?? [];
    const parts = steps.map((step) => this.#explainStep(step));
    if (parts.length === 0 || parts.some(isReason)) return choice;
    return {
      kernel: steps.map((step) => step.op).join("+"),
      variant: parts.map((part) => (part as Explanation).variant).join("+"),
      composed: true,
    };
  }

  /** A tensor that exists only as dtype and shape. */
  #phantom<D extends DType>(dtype: D, shape: Shape): Tensor<D> {
    return {
      dtype,
      shape,
      size: sizeOf(shape),
      byteLength: sizeOf(shape) * byteWidth(dtype),
      backend: this,
      disposed: false,
    } as unknown as Tensor<D>;
  }

  #expectOwn<K extends OpName>({ inputs, inout = [] }: Plan<K>): void {
    for (const tensor of [...inputs, ...inout]) {
      if (tensor.backend !== this) throw foreign(tensor, this.name);
      if (tensor.disposed)
        throw halfbyteError(
          "TENSOR_DISPOSED",
          `A disposed tensor of shape ${showShape(tensor.shape)} was passed to a kernel.`,
        );
    }
  }

  /** The supplied outputs; `fresh` are those that were not supplied. */
  #outputs<K extends OpName>(op: K, plan: Plan<K>, into: Partial<Ops[K]["out"]>) {
    const supplied = into as Readonly<Record<string, Tensor | undefined>>;
    const specs = Object.entries<{ dtype: DType; shape: Shape }>(plan.outputs);
    for (const [name, { dtype, shape }] of specs)
      if (supplied[name]) this.#expectReusable(op, name, supplied[name], dtype, shape, plan);
    const fresh: Tensor[] = [];
    const allocate = (dtype: DType, shape: Shape) => fresh[fresh.push(this.#allocate(dtype, shape, false)) - 1];
    const out = orDispose(fresh, () =>
      specs.map(([name, { dtype, shape }]) => [name, supplied[name] ?? allocate(dtype, shape)]),
    );
    return { out: Object.fromEntries(out) as Ops[K]["out"], fresh };
  }

  #expectReusable<K extends OpName>(
    op: K,
    name: string,
    tensor: Tensor,
    dtype: DType,
    shape: Shape,
    plan: Plan<K>,
  ): void {
    expectTensor(name, tensor, dtypes);
    this.#expectOwn({ inputs: [tensor], outputs: plan.outputs });
    const details = {
      tensor: name,
      found: `${tensor.dtype} ${showShape(tensor.shape)}`,
      expected: `${dtype} ${showShape(shape)}`,
    };
    if (!fits(tensor, dtype, shape))
      throw halfbyteError(
        "SHAPE_MISMATCH",
        `The supplied output ${name} of ${op} is ${details.found}, expected ${details.expected}.`,
        { details },
      );
    const { block } = tensor as BackendTensor;
    const shared = [...plan.inputs, ...(plan.inout ?? [])].some((input) => (input as BackendTensor).block === block);
    if (shared)
      throw halfbyteError(
        "INVALID_ARGUMENT",
        `The supplied output ${name} of ${op} is also an argument; tensors are immutable.`,
        { details },
      );
  }

  /** Outputs carry the faults of what they derive from, and the operation's own. */
  #attachFaults<K extends OpName>(
    { inputs, inout = [] }: Plan<K>,
    out: Ops[K]["out"],
    check: void | (() => Promise<void>),
  ): void {
    const own = check ? new Fault(check) : undefined;
    if (own) this.#log.add(own);
    const written = [...Object.values<Tensor>(out), ...inout].map((tensor) => (tensor as BackendTensor).block);
    const inherited = new Set(
      [...inputs, ...inout].flatMap((tensor) => openFaults((tensor as BackendTensor).block.faults)),
    );
    for (const block of written) block.faults = own ? [...inherited, own] : [...inherited];
  }
}

/** Runs `body`; when it throws, nothing of what was allocated for it stays behind. */
function orDispose<T>(tensors: readonly Tensor[], body: () => T): T {
  try {
    return body();
  } catch (thrown) {
    for (const tensor of tensors) tensor.dispose();
    throw thrown;
  }
}

/** An argument that is written to shares its storage with no other argument: the result would depend on the device. */
function expectDistinct<K extends OpName>(op: K, { inputs, inout = [] }: Plan<K>): void {
  const blocks = [...inout, ...inputs].map((tensor) => (tensor as BackendTensor).block);
  if (inout.every((_, i) => blocks.indexOf(blocks[i]!, i + 1) < 0)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${op} writes to an argument that is passed twice.`);
}

const isReason = (value: Explanation | Reason): value is Reason => !("variant" in value);

function unsupported(backend: string, op: OpName, { message, remedy }: Reason): Error {
  return halfbyteError("UNSUPPORTED_KERNEL", `Backend "${backend}" cannot run ${op}: ${message}`, {
    remedy,
    details: { found: op },
  });
}

function foreign(tensor: Tensor, name: string): Error {
  const found = tensor.backend.name;
  return halfbyteError(
    "WRONG_BACKEND",
    `A tensor of shape ${showShape(tensor.shape)} lives on backend "${found}", not on this "${name}".`,
    { details: { found, expected: name } },
  );
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
