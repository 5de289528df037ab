/** Compiled kernels: each text with each set of constants once, compiled beside the event loop. */
import { halfbyteError, messageOf } from "@halfbyte/core";

/** A kernel of this package: its WGSL text, and what its `override` constants are for one variant. */
export interface KernelVariant {
  readonly kernel: string;
  readonly text: string;
  readonly constants: { readonly [name: string]: number };
}

export interface Compiled {
  /** Undefined until it is ready. */
  pipeline: GPUComputePipeline | undefined;
  readonly ready: Promise<GPUComputePipeline>;
}

export class Pipelines {
  readonly #compiled = new Map<string, Compiled>();

  constructor(readonly device: GPUDevice) {}

  get(variant: KernelVariant): Compiled {
    const key = `${variant.kernel} ${JSON.stringify(variant.constants)}`;
    const known = this.#compiled.get(key) ?? this.#compile(variant);
    this.#compiled.set(key, known);
    return known;
  }

  /** Everything asked for so far is compiled, or has failed. */
  async ready(): Promise<void> {
    await Promise.allSettled([...this.#compiled.values()].map(({ ready }) => ready));
  }

  #compile(variant: KernelVariant): Compiled {
    const ready = compile(this.device, variant).then((pipeline) => {
      compiled.pipeline = pipeline;
      return pipeline;
    });
    ready.catch(() => undefined);
    const compiled: Compiled = { pipeline: undefined, ready };
    return compiled;
  }
}

async function compile(device: GPUDevice, { kernel, text, constants }: KernelVariant): Promise<GPUComputePipeline> {
  // What is wrong with the text is told by the pipeline's promise, not as an error that nobody caught.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: kernel, code: text });
  device.popErrorScope().catch(() => undefined);
  try {
    return await device.createComputePipelineAsync({
      label: kernel,
      layout: "auto",
      compute: { module, entryPoint: "main", constants: { ...constants } },
    });
  } catch (cause) {
    throw halfbyteError("KERNEL_FAILED", `The kernel ${kernel} does not compile: ${messageOf(cause)}`, { cause });
  }
}
