/**
 * What the GPU has to do, in call order: collected while a stretch of JavaScript runs, then encoded and submitted at once. A submission costs
 * far more than a dispatch, and one parameter buffer serves all of its dispatches.
 */
import { halfbyteError } from "@halfbyte/core";
import { BindGroups, type Binding } from "./bind-groups.js";
import { usage } from "./buffers.js";
import { grid } from "./dispatch.js";
import type { Compiled } from "./pipelines.js";
import { Timer } from "./timer.js";

export interface DispatchCommand {
  readonly kernel: string;
  readonly compiled: Compiled;
  readonly params: Uint32Array;
  readonly bindings: readonly Binding[];
  readonly workgroups: number;
}

export interface CopyCommand {
  readonly from: GPUBuffer;
  readonly fromOffset: number;
  readonly to: GPUBuffer;
  readonly toOffset: number;
  readonly size: number;
}

type Command = DispatchCommand | CopyCommand | { readonly clear: GPUBuffer };

const isDispatch = (command: Command): command is DispatchCommand => "compiled" in command;

/** Offsets of uniforms are multiples of this on every device; it is also as long as one dispatch's parameters may be. */
export const paramsBytes = 256;
const commandLimit = 128;

export class CommandStream {
  readonly #gpu: GPUDevice;
  readonly #params: GPUBuffer;
  readonly #bindGroups: BindGroups;
  #batch = newBatch();

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    this.#params = gpu.createBuffer({ size: commandLimit * paramsBytes, usage: usage.uniform | usage.copyTarget });
    this.#bindGroups = new BindGroups(gpu, this.#params);
  }

  /** The promise tells whether the GPU has accepted the submission, not that it is done. */
  dispatch(command: DispatchCommand): Promise<void> {
    return this.#add(command);
  }

  copy(command: CopyCommand): Promise<void> {
    return this.#add(command);
  }

  clear(buffer: GPUBuffer): void {
    void this.#add({ clear: buffer });
  }

  /** The queue's own entries go around the commands: what was collected so far goes first. */
  writeBuffer(buffer: GPUBuffer, offset: number, bytes: Uint8Array): void {
    this.flush();
    this.#gpu.queue.writeBuffer(buffer, offset, bytes as Uint8Array<ArrayBuffer>);
  }

  flush(): void {
    const batch = this.#batch;
    if (batch.commands.length === 0) return;
    this.#batch = newBatch();
    this.#gpu.pushErrorScope("validation");
    this.#gpu.queue.writeBuffer(this.#params, 0, paramsOf(batch.commands) as Uint32Array<ArrayBuffer>);
    this.#gpu.queue.submit([this.#encode(batch)]);
    batch.submitted(accepted(this.#gpu.popErrorScope(), batch.commands));
  }

  /** Nanoseconds the GPU takes for what `enqueue` dispatches; undefined where the device has no timestamps. */
  async time(enqueue: () => void): Promise<number | undefined> {
    if (!this.#gpu.features.has("timestamp-query")) return undefined;
    this.flush();
    const timer = new Timer(this.#gpu);
    this.#batch.timer = timer;
    enqueue();
    if (this.#batch.timer !== timer) throw tooMany(timer);
    this.flush();
    return timer.read();
  }

  destroy(): void {
    this.#params.destroy();
  }

  #add(command: Command): Promise<void> {
    const batch = this.#batch;
    batch.commands.push(command);
    if (batch.commands.length === 1) queueMicrotask(() => batch === this.#batch && this.flush());
    else if (batch.commands.length === commandLimit) this.flush();
    return batch.accepted;
  }

  #encode({ commands, timer }: Batch): GPUCommandBuffer {
    const encoder = this.#gpu.createCommandEncoder();
    const dispatches = commands.filter(isDispatch);
    let pass: GPUComputePassEncoder | undefined;
    for (const [slot, command] of commands.entries())
      if (isDispatch(command)) {
        pass ??= encoder.beginComputePass(timer?.passOf(command === dispatches[0], isLastPass(commands, slot)) ?? {});
        this.#encodeDispatch(pass, command, slot);
      } else {
        pass?.end();
        pass = undefined;
        encodeTransfer(encoder, command);
      }
    pass?.end();
    timer?.resolve(encoder);
    return encoder.finish();
  }

  #encodeDispatch(
    pass: GPUComputePassEncoder,
    { compiled, bindings, workgroups }: DispatchCommand,
    slot: number,
  ): void {
    pass.setPipeline(compiled.pipeline!);
    pass.setBindGroup(0, this.#bindGroups.get(compiled.layout, bindings), [slot * paramsBytes]);
    pass.dispatchWorkgroups(...grid(workgroups));
  }
}

interface Batch {
  readonly commands: Command[];
  readonly accepted: Promise<void>;
  readonly submitted: (outcome: Promise<void>) => void;
  timer?: Timer;
}

function newBatch(): Batch {
  let submitted: Batch["submitted"] = () => undefined;
  const accepted = new Promise<void>((resolve) => {
    submitted = resolve;
  });
  // Told by whoever reads; nobody has to.
  accepted.catch(() => undefined);
  return { commands: [], accepted, submitted };
}

function tooMany(timer: Timer): Error {
  timer.destroy();
  return halfbyteError("INVALID_ARGUMENT", `At most ${commandLimit - 1} dispatches can be timed together.`);
}

/** Whether the pass that begins at this command is the last one: no dispatch comes after the next transfer. */
function isLastPass(commands: readonly Command[], begin: number): boolean {
  const end = commands.findIndex((command, i) => i > begin && !isDispatch(command));
  return end < 0 || !commands.slice(end).some(isDispatch);
}

function encodeTransfer(encoder: GPUCommandEncoder, command: Exclude<Command, DispatchCommand>): void {
  if ("clear" in command) encoder.clearBuffer(command.clear);
  else {
    const { from, fromOffset, to, toOffset, size } = command;
    encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, size);
  }
}

function paramsOf(commands: readonly Command[]): Uint32Array {
  const words = new Uint32Array((commands.length * paramsBytes) / 4);
  for (const [slot, command] of commands.entries())
    if (isDispatch(command)) words.set(command.params, (slot * paramsBytes) / 4);
  return words;
}

function accepted(scope: Promise<GPUError | null>, commands: readonly Command[]): Promise<void> {
  const kernels = [...new Set(commands.filter(isDispatch).map(({ kernel }) => kernel))].join(", ");
  const outcome = scope.then((error) => {
    if (error) throw halfbyteError("KERNEL_FAILED", `The GPU refused the kernels ${kernels}: ${error.message}`);
  });
  outcome.catch(() => undefined);
  return outcome;
}
