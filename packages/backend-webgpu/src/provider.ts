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
import type { FeatureTier } from "./traits.js";

type OpenOptions = WebgpuOptions & { readonly signal?: AbortSignal };

/** WGSL kernels, in browsers and, through the package `webgpu`, in Node; with `tier: "gpujs"` products through gpu.js. */
export function webgpu(given: WebgpuOptions = {}): BackendProvider<WebgpuOptions> {
  const provider: BackendProvider<WebgpuOptions> = {
    name: "webgpu",
    detect: (options) => detect({ ...given, ...options }).catch(notAvailable),
    open: (options) => open({ ...given, ...options }),
  };
  if (given.fallback !== "gpujs" || given.tier === "gpujs") return provider;
  return { ...provider, tiers: [provider, webgpu({ ...given, tier: "gpujs" })] };
}

/** Loaded only by those who ask for it. */
const gpujsTier = () => import("./gpujs/provider.js");

async function detect(options: WebgpuOptions): Promise<Detection> {
  if (options.tier === "gpujs") return (await gpujsTier()).detectGpujs(options);
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
async function open({ tier = "full", ...options }: OpenOptions): Promise<Device> {
  if (tier === "gpujs") return (await gpujsTier()).openGpujs(options);
  const { gpuDevice, gpu, powerPreference, signal } = options;
  throwIfAborted(signal, "Opening WebGPU");
  if (gpuDevice) return deviceOver(gpuDevice, { ...options, tier, isForeign: true });
  const adapter = await chooseAdapter(gpu ?? (await entryPoint()), powerPreference);
  return deviceOver(await requestDevice(adapter, tier), { ...options, tier });
}

async function deviceOver(
  gpuDevice: GPUDevice,
  options: OpenOptions & { tier: FeatureTier; isForeign?: boolean },
): Promise<Device> {
  return new WebgpuDevice(gpuDevice, { ...options, languageFeatures: await languageFeatures(options.gpu) });
}

/** None where the caller has a device of an implementation that is not found here. */
async function languageFeatures(gpu: GPU | undefined): Promise<ReadonlySet<string>> {
  const found = gpu ?? (await entryPoint().catch(() => undefined));
  return found?.wgslLanguageFeatures ?? new Set();
}
