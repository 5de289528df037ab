/** Running operations on a device: checked, placed, enqueued or composed from others, with the faults that their results carry. */
import type { Backend, Explanation } from "./backend.js";
import { type BackendTensor, orDispose } from "./backend-tensor.js";
import type { Device, Launch } from "./device.js";
import { byteWidth } from "./dtype.js";
import { halfbyteError } from "./errors.js";
import { Fault, type FaultLog, openFaults } from "./fault.js";
import { type Kernels, type OpName, type Ops, opNames } from "./kernels.js";
import { expectDistinct, expectOwn, expectReusable } from "./operands.js";
import { operations } from "./operations/index.js";
import type { CompositionStep, Plan, TensorSpec } from "./operations/operation.js";
import type { Reason } from "./registry.js";
import { sizeOf } from "./shape.js";
import type { DType, Shape, Tensor } from "./tensor.js";

/** The backend on whose device operations run. */
export interface RunnerHost {
  readonly backend: Backend;
  readonly device: Device;
  readonly log: FaultLog;
  /** Throws BACKEND_CLOSED or DEVICE_LOST. */
  ensureOpen(): void;
  /** A tensor for a kernel to write. */
  allocate<D extends DType>(dtype: D, shape: Shape): Tensor<D>;
}

const isLaunch = <K extends OpName>(choice: Launch<K> | Reason): choice is Launch<K> => "run" in choice;

export class OperationRunner {
  readonly kernels: Kernels;
  readonly #host: RunnerHost;

  constructor(host: RunnerHost) {
    this.#host = host;
    this.kernels = Object.fromEntries(opNames.map((op) => [op, this.#kernel(op)])) as unknown as Kernels;
  }

  /** Which kernel would run these arguments. Throws what a call with them would throw. */
  explain<K extends OpName>(op: K, args: Ops[K]["in"]): Explanation | Reason {
    expectOwn(this.#host.backend, operations[op].plan(args));
    return this.#explainStep({ op, args } as CompositionStep);
  }

  #kernel<K extends OpName>(op: K) {
    return (args: Ops[K]["in"], into: Partial<Ops[K]["out"]> = {}): Ops[K]["out"] => {
      const { backend, device } = this.#host;
      this.#host.ensureOpen();
      const plan = operations[op].plan(args);
      expectOwn(backend, plan);
      expectDistinct(op, plan);
      const choice = device.select(op, args);
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
    if (!compose || isReason(this.#explainStep(step))) throw unsupported(this.#host.device.name, step.op, reason);
    const run = compose.run as (kernels: Kernels, args: CompositionStep["args"], out: Ops[OpName]["out"]) => void;
    return (out) => run(this.kernels, step.args, out);
  }

  #explainStep({ op, args }: CompositionStep): Explanation | Reason {
    const choice = this.#host.device.select(op, args as never);
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
    const size = sizeOf(shape);
    const { backend } = this.#host;
    return {
      dtype,
      shape,
      size,
      byteLength: size * byteWidth(dtype),
      backend,
      disposed: false,
    } as unknown as Tensor<D>;
  }

  /** The supplied outputs; `fresh` are those that were not supplied. */
  #outputs<K extends OpName>(op: K, plan: Plan<K>, into: Partial<Ops[K]["out"]>) {
    const supplied = into as Readonly<Record<string, Tensor | undefined>>;
    const specs = Object.entries<TensorSpec>(plan.outputs);
    for (const [name, expected] of specs) {
      const tensor = supplied[name];
      if (tensor) expectReusable(this.#host.backend, { op, name, tensor, expected }, plan);
    }
    const fresh: Tensor[] = [];
    const allocate = ({ dtype, shape }: TensorSpec) => fresh[fresh.push(this.#host.allocate(dtype, shape)) - 1];
    const out = orDispose(fresh, () => specs.map(([name, spec]) => [name, supplied[name] ?? allocate(spec)]));
    return { out: Object.fromEntries(out) as Ops[K]["out"], fresh };
  }

  /** Outputs carry the faults of what they derive from, and the operation's own. */
  #attachFaults<K extends OpName>(
    { inputs, inout = [] }: Plan<K>,
    out: Ops[K]["out"],
    check: void | (() => Promise<void>),
  ): void {
    const own = check ? new Fault(check) : undefined;
    if (own) this.#host.log.add(own);
    const written = [...Object.values<Tensor>(out), ...inout].map((tensor) => (tensor as BackendTensor).block);
    const inherited = new Set(
      [...inputs, ...inout].flatMap((tensor) => openFaults((tensor as BackendTensor).block.faults)),
    );
    for (const block of written) block.faults = own ? [...inherited, own] : [...inherited];
  }
}

const isReason = (value: Explanation | Reason): value is Reason => !("variant" in value);

function unsupported(backend: string, op: OpName, { message, remedy }: Reason): Error {
  return halfbyteError("UNSUPPORTED_KERNEL", `Backend "${backend}" cannot run ${op}: ${message}`, {
    remedy,
    details: { found: op },
  });
}
