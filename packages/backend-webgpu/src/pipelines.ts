/** Compiled kernels: each text with each set of constants once, compiled beside the event loop. */
import { halfbyteError, messageOf } from "@halfbyte/core";
import type { Dispatch } from "./dispatch.js";

export type Source = Pick<Dispatch, "kernel" | "text" | "constants"> & {
  readonly reads: { readonly length: number };
  readonly writes: { readonly length: number };
};

/** What the text of a kernel becomes before it is compiled; to see what a broken one does. */
export type AlterShader = (text: string, kernel: string) => string;

export interface Compiled {
  /** Undefined until it is ready. */
  pipeline: GPUComputePipeline | undefined;
  readonly layout: GPUBindGroupLayout;
  readonly ready: Promise<GPUComputePipeline>;
}

const computeStage = 4;

export class Pipelines {
  /** By text first, which is the same string every time: nothing of its length is hashed again. */
  readonly #compiled = new Map<string, Map<string, Compiled>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(
    readonly device: GPUDevice,
    readonly alter: AlterShader = (text) => text,
  ) {}

  get(source: Source): Compiled {
    const ofText = this.#compiled.get(source.text) ?? new Map<string, Compiled>();
    this.#compiled.set(source.text, ofText);
    const key = `${source.reads.length} ${JSON.stringify(source.constants)}`;
    const known = ofText.get(key) ?? this.#compile(source);
    ofText.set(key, known);
    return known;
  }

  /** Everything asked for so far is compiled, or has failed. */
  async ready(): Promise<void> {
    const all = [...this.#compiled.values()].flatMap((ofText) => [...ofText.values()]);
    await Promise.allSettled(all.map(({ ready }) => ready));
  }

  #compile(source: Source): Compiled {
    const layout = this.#layout(source.reads.length, source.writes.length);
    const text = this.alter(source.text, source.kernel);
    const ready = compile(this.device, { ...source, text }, layout).then((pipeline) => {
      compiled.pipeline = pipeline;
      return pipeline;
    });
    ready.catch(() => undefined);
    const compiled: Compiled = { pipeline: undefined, layout, ready };
    return compiled;
  }

  /** Written out: one that is made automatically leaves out what a variant does not use. */
  #layout(reads: number, writes: number): GPUBindGroupLayout {
    const key = `${reads} ${writes}`;
    const known = this.#layouts.get(key) ?? layoutOf(this.device, reads, writes);
    this.#layouts.set(key, known);
    return known;
  }
}

function layoutOf(device: GPUDevice, reads: number, writes: number): GPUBindGroupLayout {
  const buffers: GPUBufferBindingLayout[] = [
    { type: "uniform", hasDynamicOffset: true },
    ...Array<GPUBufferBindingLayout>(reads).fill({ type: "read-only-storage" }),
    ...Array<GPUBufferBindingLayout>(writes).fill({ type: "storage" }),
  ];
  const entries = buffers.map((buffer, binding) => ({ binding, visibility: computeStage, buffer }));
  return device.createBindGroupLayout({ entries });
}

async function compile(
  device: GPUDevice,
  { kernel, text, constants }: Source,
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
  // What is wrong with the text is told by the pipeline's promise, not as an error that nobody caught.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel, code: text });
  device.popErrorScope().catch(() => undefined);
  try {
    return await device.createComputePipelineAsync({
      label: kernel,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main", constants: { ...constants } },
    });
  } catch (cause) {
    throw halfbyteError("KERNEL_FAILED", `The kernel ${kernel} does not compile: ${messageOf(cause)}`, { cause });
  }
}
