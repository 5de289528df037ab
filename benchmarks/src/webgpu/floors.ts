/** The floors of an adapter: its own reading, writing, copying and multiplying, by loops in WGSL. */
import type { Floor, FloorRequest, FloorSource } from "../floors/floor.js";
import { isMemoryKind } from "../floors/kinds.js";
import { median } from "../measure/statistics.js";
import { type Subject, timed } from "../measure/subject.js";
import { copiesOf } from "../spec.js";
import { type GpuFloorKind, invocationsOf, type LoopVariant, loopVariants, mostInvocations } from "./floor-kernels.js";

/** More memory than this is moved by parts of it. */
const memoryLimit = 2 ** 27;
/** Long enough for the clock: milliseconds on either. */
const multiplies = { software: 2 ** 26, hardware: 2 ** 33 };

export interface GpuFloorOptions {
  readonly isSoftware: boolean;
}

export const gpuFloors = (device: GPUDevice, options: GpuFloorOptions): FloorSource => ({
  open: (request) => openGpuFloor(device, request, options),
});

/** 16-bit integers are no unit of a GPU: what they would do is done in float32. */
function kindOf({ kind }: FloorRequest): GpuFloorKind {
  const hasDot = globalThis.navigator?.gpu?.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false;
  return kind === "dot-int16" || (kind === "dot-int8" && !hasDot) ? "fma-f32" : kind;
}

function openGpuFloor(device: GPUDevice, request: FloorRequest, { isSoftware }: GpuFloorOptions): Floor {
  const kind = kindOf(request);
  const arithmetic = isSoftware ? multiplies.software : multiplies.hardware;
  const limit = Math.min(memoryLimit, device.limits.maxStorageBufferBindingSize);
  const asked = isMemoryKind(kind) ? Math.min(request.work, limit) : arithmetic;
  const windows = isMemoryKind(kind) ? copiesOf(asked, request.temperature) : 1;
  const { loops, buffers } = openLoops(device, kind, asked, windows);
  return {
    kind,
    subjects: loops.map(({ subject, work }) => scaled(subject, request.work / work)),
    medianOf: (times) => Math.min(...times.map(median)),
    dispose: () => {
      for (const buffer of buffers.flat()) buffer.destroy();
    },
  };
}

/** All variants, over the same memory. */
export function openLoops(device: GPUDevice, kind: GpuFloorKind, asked: number, windows = 1) {
  const buffers = windowsOf(device, kind, asked, windows);
  const loops = loopVariants(kind).map((variant) => openLoop(device, variant, buffers, isMemoryKind(kind), asked));
  return { loops, buffers };
}

/** A source full of ones, and a destination. */
type Window = readonly [source: GPUBuffer, destination: GPUBuffer];

function windowsOf(device: GPUDevice, kind: GpuFloorKind, work: number, count: number): Window[] {
  const wholeBytes = Math.ceil(work / 16) * 16;
  const readBytes = kind === "read" || kind === "copy" ? wholeBytes : 16;
  const writtenBytes = kind === "write" || kind === "copy" ? wholeBytes : 16 * mostInvocations;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  return Array.from({ length: count }, () => [
    filled(device, readBytes, usage, kind === "fma-f32" ? float32One : 1),
    device.createBuffer({ size: writtenBytes, usage }),
  ]);
}

/** Bits of 1.0. */
const float32One = 0x3f800000;

function filled(device: GPUDevice, size: number, usage: number, word: number): GPUBuffer {
  const buffer = device.createBuffer({ size, usage, mappedAtCreation: true });
  new Uint32Array(buffer.getMappedRange()).fill(word);
  buffer.unmap();
  return buffer;
}

export interface Loop {
  readonly subject: Subject;
  /** Bytes or multiply-adds of a run. */
  readonly work: number;
}

function openLoop(
  device: GPUDevice,
  variant: LoopVariant,
  windows: readonly Window[],
  isMemory: boolean,
  asked: number,
): Loop {
  const invocations = invocationsOf(variant);
  const count = Math.ceil(asked / (isMemory ? variant.unit : variant.unit * invocations));
  const layout = bindGroupLayout(device);
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code: variant.text }), constants: { count } },
  });
  const groups = windows.map((buffers) =>
    device.createBindGroup({
      layout,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  let next = 0;
  const enqueue = () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, groups[next++ % groups.length]!);
    pass.dispatchWorkgroups(variant.workgroups);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  const subject = timed({ enqueue, wait: () => device.queue.onSubmittedWorkDone() });
  return { subject, work: count * variant.unit * (isMemory ? 1 : invocations) };
}

/** Written out: a loop may leave `source` alone, which an automatic layout would drop. */
const bindGroupLayout = (device: GPUDevice): GPUBindGroupLayout =>
  device.createBindGroupLayout({
    entries: (["read-only-storage", "storage"] as const).map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });

const scaled = (subject: Subject, factor: number): Subject => ({
  sample: async (...args) => (await subject.sample(...args)).map((time) => time * factor),
});
