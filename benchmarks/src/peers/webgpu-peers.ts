/** The peers of the WebGPU backend, on the same device: onnxruntime-web and TensorFlow.js; and gpu.js, which uses WebGL where there is one. */
/// <reference types="@webgpu/types" />
import type * as Tf from "@tensorflow/tfjs-core";
import type { Candidate } from "../case.js";
import { timed } from "../measure/subject.js";
import { onnxLinear } from "../onnx/linear.js";
import { type Ort, openStack } from "../onnx/stack.js";
import { productError } from "../product.js";
import type { Spec } from "../spec.js";
import { type GpuJs, gpuJsRun } from "./gpu-js.js";
import type { DenseProduct, PeerSet, StackWork } from "./peer-set.js";

/** Packages as the place finds them: Node resolves them, a page's bundle has them. Each rejects where it cannot be had. */
export interface PeerModules {
  onnxruntime(): Promise<{ readonly module: Ort; readonly version: string }>;
  tfjs(): Promise<{ readonly core: typeof Tf; readonly webgpu: TfWebgpu; readonly version: string }>;
  gpuJs(): Promise<{ readonly module: GpuJs; readonly version: string }>;
}

/** What is used of @tensorflow/tfjs-backend-webgpu. */
export interface TfWebgpu {
  readonly WebGPUBackend: new (device: GPUDevice, info?: GPUAdapterInfo) => Tf.KernelBackend;
}

export const webgpuPeers = (device: GPUDevice, modules: PeerModules): PeerSet => ({
  onnx: (spec, work) => onnxCandidate(device, modules, spec, work),
  dense: (product) => [tfjsCandidate(device, modules, product), gpuJsCandidate(modules, product)],
});

/** Activations and results stay on the GPU, as ours do. */
function onnxCandidate(device: GPUDevice, modules: PeerModules, { shape: { m } }: Spec, work: StackWork): Candidate {
  const { op, layers, inputs, unitsPerRun } = work;
  return {
    family: "onnxruntime-web",
    name: `onnxruntime-web ${op}`,
    async prepare() {
      const { module: ort, version } = await modules.onnxruntime();
      const linears = new Map([...new Set(layers)].map((kind) => [kind, onnxLinear(op, kind.weight, kind.dense)]));
      const uploaded: GPUBuffer[] = [];
      const place = (values: Float32Array, dims: readonly number[]) => {
        const gpuBuffer = upload(device, values);
        uploaded.push(gpuBuffer);
        return ort.Tensor.fromGpuBuffer(gpuBuffer, { dataType: "float32", dims });
      };
      const session = {
        executionProviders: [{ name: "webgpu", device }],
        preferredOutputLocation: "gpu-buffer",
      } as const;
      const all = layers.map((kind) => linears.get(kind)!);
      const stack = await openStack(ort, all, { m, inputs, session, place });
      const { n, k, row } = linears.get(layers[0]!)!;
      const relativeError = productError(await stack.first(), inputs.get(k)!, { m, n, k }, row);
      const subject = timed({ enqueue: stack.run, wait: () => device.queue.onSubmittedWorkDone() }, unitsPerRun);
      const dispose = async () => {
        await stack.dispose();
        for (const buffer of uploaded) buffer.destroy();
      };
      return { subject, relativeError, version, dispose };
    },
  };
}

function upload(device: GPUDevice, values: Float32Array): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: Math.ceil(values.byteLength / 16) * 16, usage });
  device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
  return buffer;
}

function tfjsCandidate(device: GPUDevice, modules: PeerModules, product: DenseProduct): Candidate {
  return {
    family: "tfjs",
    name: "tfjs webgpu matMul",
    async prepare() {
      const { core: tf, webgpu, version } = await modules.tfjs();
      await useDevice(tf, webgpu, device);
      const { m, n, k } = product.shape;
      const x = tf.tensor2d(product.x, [m, k]);
      const weight = tf.tensor2d(product.weight, [n, k]);
      const multiply = () => tf.matMul(x, weight, false, true);
      const first = multiply();
      const row = (index: number) => product.weight.subarray(index * k, (index + 1) * k);
      const relativeError = productError(await first.data(), product.x, product.shape, row);
      first.dispose();
      const subject = timed({
        enqueue: () => multiply().dispose(),
        wait: () => device.queue.onSubmittedWorkDone(),
      });
      return { subject, relativeError, version, dispose: () => tf.dispose([x, weight]) };
    },
  };
}

/** On our device; every operation is submitted at once, and none is done on the CPU because it is small. */
async function useDevice(tf: typeof Tf, { WebGPUBackend }: TfWebgpu, device: GPUDevice): Promise<void> {
  if (tf.getBackend() === "webgpu") return;
  tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", 1);
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => new WebGPUBackend(device, device.adapterInfo));
  if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js does not start its WebGPU backend.");
}

/** Its clock is the wall's: it draws in a context of its own. */
function gpuJsCandidate(modules: PeerModules, product: DenseProduct): Candidate {
  return {
    family: "gpu.js",
    name: "gpu.js dense",
    async prepare() {
      const { module, version } = await modules.gpuJs();
      return { ...(await gpuJsRun(module, product)), isElsewhere: true, version };
    },
  };
}
