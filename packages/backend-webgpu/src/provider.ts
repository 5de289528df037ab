/** The provider of backend "webgpu". */
import {
  type BackendProvider,
  type Detection,
  type Device,
  halfbyteError,
  isHalfbyteError,
  messageOf,
  type Reason,
  throwIfAborted,
} from "@halfbyte/core";
import { adapterName, chooseAdapter, isSoftware, requestDevice } from "./adapter.js";
import { WebgpuDevice } from "./device.js";
import { entryPoint } from "./entry-point.js";
import type { WebgpuOptions } from "./options.js";

type OpenOptions = WebgpuOptions & { readonly signal?: AbortSignal };

/** WGSL kernels, in browsers and, through the package `webgpu`, in Node. */
export const webgpu = (given: WebgpuOptions = {}): BackendProvider<WebgpuOptions> => ({
  name: "webgpu",
  detect: (options) => detect({ ...given, ...options }).catch(notAvailable),
  open: (options) => open({ ...given, ...options }),
});

async function detect(options: WebgpuOptions): Promise<Detection> {
  const info = await adapterInfo(options);
  const name = adapterName(info);
  return {
    provider: "webgpu",
    available: true,
    versions: { adapter: name },
    sources: [],
    candidates: [],
    devices: [{ id: "webgpu", name, software: isSoftware(info) }],
  };
}

async function adapterInfo({ gpuDevice, gpu, powerPreference }: WebgpuOptions): Promise<GPUAdapterInfo> {
  if (gpuDevice) return gpuDevice.adapterInfo;
  return (await chooseAdapter(gpu ?? (await entryPoint()), powerPreference)).info;
}

function notAvailable(thrown: unknown): Detection {
  const { code, message, remedy }: Reason = isHalfbyteError(thrown)
    ? thrown
    : halfbyteError("DETECT_FAILED", `WebGPU could not be looked for: ${messageOf(thrown)}`);
  const reason = { code, message, remedy };
  return { provider: "webgpu", available: false, reason, versions: {}, sources: [], candidates: [], devices: [] };
}

/** A software adapter is opened too: detect() tells that it is one, and the registry passes it over unless it is asked for. */
async function open({ gpuDevice, gpu, powerPreference, signal }: OpenOptions): Promise<Device> {
  throwIfAborted(signal, "Opening WebGPU");
  if (gpuDevice) return new WebgpuDevice(gpuDevice, { isForeign: true });
  const adapter = await chooseAdapter(gpu ?? (await entryPoint()), powerPreference);
  return new WebgpuDevice(await requestDevice(adapter));
}
