/// <reference types="@webgpu/types" />
/** Small compute shaders around the functions under test, on whatever adapter this machine has. */
import { readFileSync } from "node:fs";
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);

export const noAdapter = "no WebGPU adapter: install a Vulkan driver (Mesa >= 25) or name one in VK_ICD_FILENAMES";

export const moduleText = (name: string): string =>
  readFileSync(new URL(`../src/wgsl/${name}.wgsl`, import.meta.url), "utf8");

/** Collected as garbage, it takes the adapters and devices made from it along. */
let instance: GPU | undefined;

export async function openDevice(): Promise<GPUDevice | undefined> {
  instance ??= create([]);
  const adapter = await instance.requestAdapter();
  return adapter?.requestDevice();
}

const header = `
@group(0) @binding(0) var<storage, read> first: array<u32>;
@group(0) @binding(1) var<storage, read> second: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
`;

/** A shader whose body sees the index `i` of one of `count` invocations. */
export function shaderText(modules: string, body: string, count: number): string {
  return `${modules}${header}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.y * 65536u + id.x;
  if (i >= ${count}u) { return; }
  ${body}
}`;
}

export interface Dispatch {
  readonly modules: string;
  readonly body: string;
  readonly first: Uint32Array;
  readonly second?: Uint32Array;
  /** Invocations; default: one per word of `first`. */
  readonly count?: number;
  /** Words of the result; default: one per invocation. */
  readonly words?: number;
}

/** Runs one shader and reads its result. */
export async function dispatch(device: GPUDevice, { modules, body, first, ...rest }: Dispatch): Promise<Uint32Array> {
  const { second = new Uint32Array(1), count = first.length, words = count } = rest;
  const module = device.createShaderModule({ code: shaderText(modules, body, count) });
  const groupLayout = bindGroupLayout(device);
  const layout = device.createPipelineLayout({ bindGroupLayouts: [groupLayout] });
  const pipeline = await device.createComputePipelineAsync({ layout, compute: { module } });
  const buffers = [upload(device, first), upload(device, second), output(device, words)];
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: groupLayout, entries }));
  pass.dispatchWorkgroups(Math.min(1024, Math.ceil(count / 64)), Math.ceil(count / 65536));
  pass.end();
  const values = await read(device, encoder, buffers[2]!);
  for (const buffer of buffers) buffer.destroy();
  return values;
}

/** Written out, because a shader may leave `second` alone, which an automatic layout would drop. */
function bindGroupLayout(device: GPUDevice): GPUBindGroupLayout {
  const types = ["read-only-storage", "read-only-storage", "storage"] as const;
  const entries = types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
  return device.createBindGroupLayout({ entries });
}

function upload(device: GPUDevice, words: Uint32Array): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: words.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, words as Uint32Array<ArrayBuffer>);
  return buffer;
}

function output(device: GPUDevice, words: number): GPUBuffer {
  return device.createBuffer({ size: words * 4, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
}

async function read(device: GPUDevice, encoder: GPUCommandEncoder, from: GPUBuffer): Promise<Uint32Array> {
  const staging = device.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  encoder.copyBufferToBuffer(from, 0, staging, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const words = new Uint32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return words;
}
