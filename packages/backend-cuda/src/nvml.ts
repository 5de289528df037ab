/**
 * NVML, the driver's management library: versions and GPUs without starting CUDA. It sees every GPU of the machine whatever
 * CUDA_VISIBLE_DEVICES says, and knows nothing of a cuda-compat libcuda. It runs in a process of its own, because a driver that wakes
 * up a GPU takes seconds, and one that has lost a GPU may never answer.
 */
import { isHalfbyteError, messageOf, type Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { GpuReading } from "./gpu-reading.js";
import type { IsolatedLibrary, MonitoredWorld } from "./monitored-world.js";
import { isSilent, nvmlReason, nvmlStatus } from "./nvml-error.js";
import { type RuntimeVersion, versionOfNumber } from "./runtime-version.js";

export interface NvmlVersions {
  /** The kernel driver: 535.54.03. */
  readonly driver?: string;
  /** The highest CUDA version of that driver. */
  readonly cuda?: RuntimeVersion;
}

export interface Nvml {
  readonly path: string;
  versions(): Promise<NvmlVersions | Reason>;
  /** Every GPU; one that does not answer is lost. A reason when they cannot even be counted, or NVML has crashed. */
  gpus(): Promise<readonly GpuReading[] | Reason>;
  /** Never fails: nobody could do anything about it. */
  close(): Promise<void>;
}

/** Names by which the system's loader may find it; WSL2 keeps it in a folder of its own. */
export const nvmlNames = (platform: NodeJS.Platform): readonly string[] =>
  platform === "win32" ? ["nvml.dll"] : ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];

export type NvmlWorld = Pick<MonitoredWorld, "platform" | "openLibrary" | "isolateLibrary">;

/** Starts NVML, or says why not. Never throws. */
export async function openNvml(world: NvmlWorld, limitMs: number): Promise<Nvml | Reason> {
  const name = nvmlNames(world.platform).find((each) => canOpen(world, each));
  if (name === undefined) return reasonOf("NVML_NOT_FOUND", `There is no ${nvmlNames(world.platform)[0]}.`);
  try {
    const library = await world.isolateLibrary(name, limitMs);
    const status = await statusOf(library, "nvmlInit_v2", "");
    if (status === nvmlStatus.success) return started(library);
    library.close();
    return nvmlReason(status, "nvmlInit_v2");
  } catch (thrown) {
    return brokenReason(thrown);
  }
}

export const isNvml = (opened: Nvml | Reason): opened is Nvml => "gpus" in opened;

/** Cheap, and true on machines with a driver alone: a process is started only there. */
function canOpen(world: NvmlWorld, name: string): boolean {
  try {
    world.openLibrary(name);
    return true;
  } catch {
    return false;
  }
}

/** Its process crashed, was ended, or could not be started. */
function brokenReason(thrown: unknown): Reason {
  if (isHalfbyteError(thrown)) return { code: thrown.code, message: thrown.message, remedy: thrown.remedy };
  return reasonOf("NVML_FAILED", `NVML failed: ${messageOf(thrown)}`);
}

function started(library: IsolatedLibrary): Nvml {
  const call: Call = (name, signature, ...args) => statusOf(library, name, signature, ...args);
  return {
    path: library.path,
    versions: () => versionsOf(call).catch(brokenReason),
    gpus: () => gpusOf(call).catch(brokenReason),
    async close() {
      await call("nvmlShutdown", "").catch(() => undefined);
      library.close();
    },
  };
}

type Call = (name: string, signature: string, ...args: readonly unknown[]) => Promise<number>;

/** A function that this driver is too old to have answers like NVML itself does for those that its kernel part lacks. */
async function statusOf(library: IsolatedLibrary, ...call: Parameters<IsolatedLibrary["call"]>): Promise<number> {
  return (await library.call(...call)) ?? nvmlStatus.functionNotFound;
}

async function versionsOf(call: Call): Promise<NvmlVersions> {
  const driver = await textOf((text) => call("nvmlSystemGetDriverVersion", "uint8_t *, uint32_t", text, text.length));
  const number = new Int32Array(1);
  const status = await call("nvmlSystemGetCudaDriverVersion_v2", "int *", number);
  const told = status === nvmlStatus.success && number[0]! > 0;
  return { ...(driver && { driver }), ...(told && { cuda: versionOfNumber(number[0]!) }) };
}

/** More than any machine has: a count beyond it is no count. */
const mostGpus = 1024;

async function gpusOf(call: Call): Promise<readonly GpuReading[] | Reason> {
  const count = new Uint32Array(1);
  const status = await call("nvmlDeviceGetCount_v2", "uint32_t *", count);
  if (status !== nvmlStatus.success) return nvmlReason(status, "nvmlDeviceGetCount_v2");
  if (count[0]! > mostGpus) return reasonOf("NVML_FAILED", `NVML counts ${count[0]} GPUs.`);
  const gpus: GpuReading[] = [];
  // One after another: NVML takes a lock per call, and a thread per GPU would only wait for it.
  for (let index = 0; index < count[0]!; index++) gpus.push(await gpuOf(call, index));
  return gpus;
}

async function gpuOf(call: Call, index: number): Promise<GpuReading> {
  const handle = new BigUint64Array(1);
  const status = await call("nvmlDeviceGetHandleByIndex_v2", "uint32_t, uint64_t *", index, handle);
  const unnamed = { id: String(index), index, name: `GPU ${index}` };
  if (status !== nvmlStatus.success) return { ...unnamed, lost: nvmlReason(status, "nvmlDeviceGetHandleByIndex_v2") };
  const gpu = device(call, handle[0]!);
  const [name, id] = [await gpu.text("nvmlDeviceGetName"), await gpu.text("nvmlDeviceGetUUID")];
  const named = { ...unnamed, ...(name && { name }), ...(id && { id }) };
  const memory = await gpu.values("nvmlDeviceGetMemoryInfo", "uint64_t *", new BigUint64Array(3));
  if (typeof memory === "object" && "code" in memory) return { ...named, lost: memory };
  return { ...named, ...memoryOf(memory), ...(await constantsOf(gpu)), ...(await figuresOf(gpu)) };
}

type Device = ReturnType<typeof device>;

/** The functions of one GPU. Undefined where it does not tell a value. */
function device(call: Call, handle: bigint) {
  const text = (name: string) =>
    textOf((buffer) => call(name, "uint64_t, uint8_t *, uint32_t", handle, buffer, buffer.length));
  const values = async <A extends object>(name: string, type: string, array: A): Promise<A | Reason | undefined> => {
    const status = await call(name, `uint64_t, ${type}`, handle, array);
    if (status === nvmlStatus.success) return array;
    return isSilent(status) ? undefined : nvmlReason(status, name);
  };
  const number = async (name: string, ...before: readonly number[]): Promise<number | undefined> => {
    const array = new Uint32Array(1);
    const types = [...before.map(() => "uint32_t"), "uint32_t *"].join(", ");
    const status = await call(name, `uint64_t, ${types}`, handle, ...before, array);
    return status === nvmlStatus.success ? array[0] : undefined;
  };
  const capability = async () => {
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    const status = await call("nvmlDeviceGetCudaComputeCapability", "uint64_t, int *, int *", handle, major, minor);
    return status === nvmlStatus.success ? { major: major[0]!, minor: minor[0]! } : undefined;
  };
  return { text, values, number, capability };
}

/** nvmlMemory_t is total, free, used. */
function memoryOf(memory: BigUint64Array | undefined): Pick<GpuReading, "memory"> {
  return memory ? { memory: { totalBytes: Number(memory[0]), usedBytes: Number(memory[2]) } } : {};
}

async function constantsOf(gpu: Device): Promise<Pick<GpuReading, "capability">> {
  const capability = await gpu.capability();
  return capability ? { capability } : {};
}

/** Sensor 0 is the chip; nvmlUtilization_t is the share of time of kernels, then of memory, in percent. */
async function figuresOf(gpu: Device): Promise<Omit<GpuReading, "id" | "index" | "name">> {
  const rates = await gpu.values("nvmlDeviceGetUtilizationRates", "uint32_t *", new Uint32Array(2));
  const celsius = await gpu.number("nvmlDeviceGetTemperature", 0);
  const milliwatts = await gpu.number("nvmlDeviceGetPowerUsage");
  return {
    ...(rates instanceof Uint32Array && { utilization: Math.min(1, rates[0]! / 100) }),
    ...(celsius !== undefined && { temperatureCelsius: celsius }),
    ...(milliwatts !== undefined && { powerWatts: milliwatts / 1000 }),
  };
}

/** Long enough for every string that NVML gives. */
const longestText = 96;

async function textOf(fill: (buffer: Uint8Array) => Promise<number>): Promise<string | undefined> {
  const buffer = new Uint8Array(longestText);
  if ((await fill(buffer)) !== nvmlStatus.success) return undefined;
  const end = buffer.indexOf(0);
  return new TextDecoder().decode(buffer.subarray(0, end < 0 ? longestText : end));
}
