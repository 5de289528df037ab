/** gpu.js with its kernels: on a WebGL2 context, or as JavaScript on this thread. */
import { halfbyteError, isHalfbyteError, messageOf } from "@halfbyte/core";
import type { Argument, Kernel, Resident } from "./kernels/kernel.js";
import type { GpuJs, GpuJsConstructor, GpuJsKernel, GpuJsKernelSettings } from "./library.js";
import { Turns } from "./turns.js";
import { expectContext, loseContext, type WebGl2 } from "./webgl2.js";

/** How much one call of a kernel may do. */
export interface Budget {
  /** Additions of all its threads. */
  readonly steps: number;
  /** Additions of one thread; a multiple of four. */
  readonly depth: number;
  /** Threads in one direction: WebGL2 promises textures of 2048 texels a side. */
  readonly extent: number;
}

const settings: GpuJsKernelSettings = {
  precision: "single",
  tactic: "precision",
  dynamicArguments: true,
  dynamicOutput: true,
  loopMaxIterations: 2 ** 20,
  asyncMode: true,
};

/** Brings values into a texture of their own. */
const copySource = "function (values) { return values[this.thread.x]; }";

export class Engine {
  readonly tier: "gpujs-webgl2" | "gpujs-cpu";
  readonly budget: Budget;
  /** Called with the reason when the context goes away. */
  onLost: (message: string) => void = () => undefined;
  readonly #gpu: GpuJs;
  readonly #webgl2: WebGl2 | undefined;
  readonly #kernels = new Map<string, GpuJsKernel>();
  readonly #turns = new Turns();
  #residentBytes = 0;

  constructor(GpuJs: GpuJsConstructor, webgl2?: WebGl2) {
    this.#gpu = new GpuJs(webgl2 ?? { mode: "cpu" });
    this.#webgl2 = webgl2;
    this.tier = webgl2 ? "gpujs-webgl2" : "gpujs-cpu";
    this.budget = { steps: webgl2 ? 2 ** 24 : 2 ** 15, depth: 2 ** 13, extent: 2048 };
    webgl2?.canvas.addEventListener("webglcontextlost", () => this.onLost("the browser took it back"));
  }

  /** Of all values on the device. */
  get residentBytes(): number {
    return this.#residentBytes;
  }

  /** Values for kernels. Without a GPU they stay the array they are. */
  async resident(values: Float32Array): Promise<Resident> {
    const { byteLength } = values;
    const value = this.#webgl2 ? await this.#texture(values) : values;
    this.#residentBytes += byteLength;
    const release = () => {
      this.#residentBytes -= byteLength;
      if (this.#webgl2) (value as { delete(): void }).delete();
    };
    return { value, byteLength, release: once(release) };
  }

  /** One row of results for each value of this.thread.y. */
  async run(
    kernel: Kernel,
    extents: readonly [x: number, y: number],
    args: readonly Argument[],
  ): Promise<Float32Array[]> {
    const values = args.map((argument) => (typeof argument === "number" ? argument : argument.value));
    const rows = await this.#call(this.#kernel(kernel), extents, values);
    await this.#turns.giveWay();
    return rows as Float32Array[];
  }

  /** An operation starts. */
  begin(): void {
    this.#turns.begin();
    this.expectAlive();
  }

  async close(): Promise<void> {
    this.onLost = () => undefined;
    this.#kernels.clear();
    await this.#gpu.destroy();
    if (this.#webgl2) loseContext(this.#webgl2.context);
  }

  async #texture(values: Float32Array): Promise<unknown> {
    const texture = await this.#call(this.#copyKernel(), [values.length], [values]);
    const { context } = this.#webgl2!;
    if (context.getError() !== context.OUT_OF_MEMORY) return texture;
    throw halfbyteError("OUT_OF_MEMORY", `WebGL2 has no ${values.byteLength} bytes left for a texture.`);
  }

  async #call(kernel: GpuJsKernel, extents: readonly number[], values: readonly unknown[]): Promise<unknown> {
    try {
      const result = await kernel.setOutput(extents)(...values);
      // Nothing throws on a lost context: it computes zeros.
      this.expectAlive();
      if (this.#webgl2 && kernel.fallbackReason) throw new Error(kernel.fallbackReason);
      return result;
    } catch (cause) {
      this.expectAlive();
      if (isHalfbyteError(cause)) throw cause;
      throw halfbyteError("KERNEL_FAILED", `gpu.js failed: ${messageOf(cause)}`, { cause });
    }
  }

  #kernel({ name, source }: Kernel): GpuJsKernel {
    const known = this.#kernels.get(name) ?? this.#gpu.createKernel(source, settings);
    this.#kernels.set(name, known);
    return known;
  }

  #copyKernel(): GpuJsKernel {
    const known =
      this.#kernels.get("copy") ?? this.#gpu.createKernel(copySource, { ...settings, pipeline: true, immutable: true });
    this.#kernels.set("copy", known);
    return known;
  }

  /** Throws DEVICE_LOST, also before `onLost` is called. */
  expectAlive(): void {
    if (this.#webgl2) expectContext(this.#webgl2.context);
  }
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
