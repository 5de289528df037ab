/// <reference types="@webgpu/types" />
/** As much of WebGPU as the backend uses, on the host: its kernels run as JavaScript, with an arithmetic of floats that the caller chooses. */
import type { FloatArithmetic } from "./float-arithmetic.js";
import { HostShader } from "./host-shader.js";
import { HostBuffer } from "./runtime.js";

/** The least that WebGPU asks of a device. */
const limits = {
  maxBufferSize: 2 ** 28,
  maxStorageBufferBindingSize: 2 ** 27,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};

const adapterInfo = { vendor: "halfbyte", architecture: "javascript", device: "", description: "software" };

/** Its floats round as `float` says. */
export function hostGpu(float: FloatArithmetic): GPU {
  const adapter = { info: adapterInfo, features: new Set(), limits, requestDevice: async () => new Device(float) };
  return { requestAdapter: async () => adapter, wgslLanguageFeatures: new Set() } as unknown as GPU;
}

class Buffer {
  readonly bytes: ArrayBuffer;

  constructor(readonly size: number) {
    this.bytes = new ArrayBuffer(size);
  }

  mapAsync = async (): Promise<void> => undefined;
  getMappedRange = (offset = 0, size = this.size - offset): ArrayBuffer => this.bytes.slice(offset, offset + size);
  unmap(): void {}
  destroy(): void {}
}

interface Bound {
  readonly buffer: Buffer;
  readonly offset?: number;
  readonly size?: number;
}

interface Pipeline {
  readonly text: string;
  readonly constants: Readonly<Record<string, number>>;
}

type Command = () => void;

interface PipelineDescriptor {
  readonly compute: { readonly module: { readonly code: string }; readonly constants: Pipeline["constants"] };
}

class Device {
  readonly features = new Set<string>();
  readonly limits = limits;
  readonly adapterInfo = adapterInfo;
  readonly lost = new Promise<never>(() => undefined);
  readonly queue = {
    writeBuffer: (target: Buffer, offset: number, data: ArrayBufferView): void =>
      new Uint8Array(target.bytes).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset),
    submit: (batches: readonly (readonly Command[])[]): void => {
      for (const command of batches.flat()) command();
    },
    onSubmittedWorkDone: async (): Promise<void> => undefined,
  };

  constructor(readonly float: FloatArithmetic) {}

  pushErrorScope(): void {}
  popErrorScope = async (): Promise<null> => null;
  createBuffer = ({ size }: GPUBufferDescriptor): Buffer => new Buffer(size);
  createShaderModule = (descriptor: GPUShaderModuleDescriptor) => descriptor;
  createBindGroupLayout = (descriptor: GPUBindGroupLayoutDescriptor) => descriptor;
  createPipelineLayout = (descriptor: GPUPipelineLayoutDescriptor) => descriptor;
  createBindGroup = ({ entries }: { entries: readonly { binding: number; resource: Bound }[] }) =>
    entries.map(({ resource }) => resource);
  createComputePipelineAsync = async ({ compute }: PipelineDescriptor): Promise<Pipeline> => ({
    text: compute.module.code,
    constants: compute.constants,
  });
  createCommandEncoder = (): Encoder => new Encoder(this.float);
  destroy(): void {}
}

class Encoder {
  readonly #commands: Command[] = [];

  constructor(readonly float: FloatArithmetic) {}

  beginComputePass = (): Pass => new Pass(this.#commands, this.float);

  clearBuffer(buffer: Buffer): void {
    this.#commands.push(() => void new Uint8Array(buffer.bytes).fill(0));
  }

  copyBufferToBuffer(from: Buffer, fromOffset: number, to: Buffer, toOffset: number, size: number): void {
    this.#commands.push(() => new Uint8Array(to.bytes).set(new Uint8Array(from.bytes, fromOffset, size), toOffset));
  }

  finish = (): readonly Command[] => this.#commands;
}

class Pass {
  readonly #commands: Command[];
  #pipeline: Pipeline | undefined;
  #buffers: readonly HostBuffer[] = [];

  constructor(
    commands: Command[],
    readonly float: FloatArithmetic,
  ) {
    this.#commands = commands;
  }

  setPipeline(pipeline: Pipeline): void {
    this.#pipeline = pipeline;
  }

  /** The parameters, at binding 0, lie at an offset of their own for every dispatch. */
  setBindGroup(_: number, bound: readonly Bound[], [dynamic = 0]: readonly number[] = []): void {
    this.#buffers = bound.map(
      ({ buffer, offset = 0, size = buffer.size - offset }, binding) =>
        new HostBuffer(buffer.bytes, binding === 0 ? offset + dynamic : offset, size),
    );
  }

  dispatchWorkgroups(x: number, y = 1, z = 1): void {
    const [{ text, constants }, buffers, { float }] = [this.#pipeline!, this.#buffers, this];
    this.#commands.push(() => new HostShader(text, { float, constants, buffers }).dispatch("main", [x, y, z]));
  }

  end(): void {}
}
