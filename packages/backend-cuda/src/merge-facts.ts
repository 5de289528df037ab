/** One set of facts out of what all sources found; where they differ, the more trusted one counts. */
import type { Capability } from "./capability.js";
import type { Found, Troubles } from "./detector.js";
import { driverVerdict } from "./driver-verdict.js";
import type { Framework, Gpu, MachineFacts, RuntimeFile } from "./machine-facts.js";
import { distinctRuntimes } from "./runtime-file.js";
import type { HostRuntime } from "./select-library.js";
import type { World } from "./world.js";

export function mergeFacts(world: World, found: Found, troubles: Troubles): MachineFacts {
  const frameworks = frameworksOf(found);
  const runtimes = runtimesOf(found);
  const host = hostOf(frameworks, runtimes);
  const gpus = gpusOf(world, found);
  const kernelDriver = found.kernelDriver?.version ?? found.nvml?.driver ?? found.nvidiaSmi?.gpus[0]?.driver;
  const hardware = hardwareOf(world, found, gpus);
  const { platform, arch, libc, node } = world;
  return {
    system: { platform, arch, libc, node, kind: found.system?.kind ?? "bare metal" },
    driver: driverVerdict(world, found, troubles),
    frameworks,
    toolkits: found.toolkit?.toolkits ?? [],
    runtimes,
    ...(found.libcuda && { libcuda: found.libcuda.path }),
    ...(kernelDriver !== undefined && { kernelDriver }),
    ...(hardware !== undefined && { hardware }),
    ...(gpus && { gpus }),
    ...(host && { host }),
    ...(found.container?.cuda && { containerCuda: found.container.cuda }),
  };
}

/** What shows in the process when a framework has started its CUDA part. */
const shows: Readonly<Record<string, RegExp>> = {
  "onnxruntime-node": /onnxruntime_providers_cuda/,
  "@tensorflow/tfjs-node-gpu": /tfjs-node-gpu.*libtensorflow/,
};

function frameworksOf({ onnxruntime, tensorflow, loaded }: Found): Framework[] {
  const known = [onnxruntime, tensorflow].filter((each) => each !== undefined);
  const isLoaded = ({ name }: Framework): boolean =>
    loaded?.frameworks.some((path) => shows[name]?.test(path.replaceAll("\\", "/"))) ?? false;
  return known.map((framework) => ({ ...framework, loaded: isLoaded(framework) }));
}

/** Those of the process first, then by who could be loaded. */
const runtimesOf = ({ loaded, searchPath, linkerCache }: Found): RuntimeFile[] =>
  distinctRuntimes([loaded, searchPath, linkerCache].flatMap((each) => each?.runtimes ?? []));

/** The framework that runs here, else the one that the application names, else any, else whoever loaded a runtime. */
function hostOf(frameworks: readonly Framework[], runtimes: readonly RuntimeFile[]): HostRuntime | undefined {
  const speaking = frameworks.filter(({ cuda }) => cuda !== undefined);
  const framework = speaking.find(({ loaded }) => loaded) ?? speaking.find(({ indirect }) => !indirect) ?? speaking[0];
  const runtime = runtimes.find(({ loaded, version }) => loaded && version !== undefined);
  if (!framework?.cuda) return runtime?.version && { framework: "a CUDA runtime of this process", ...runtime.version };
  const { name, cuda, loaded } = framework;
  // Its files tell the major only; the runtime that it has loaded tells the minor.
  const sharper = loaded && cuda.minor === undefined && runtime?.version?.major === cuda.major ? runtime.version : cuda;
  return { framework: name, ...sharper };
}

interface Described {
  readonly id: string;
  readonly name: string;
  readonly capability?: Capability;
  readonly memoryBytes?: number;
}

/** CUDA's own list is the one that counts. The others see GPUs that CUDA_VISIBLE_DEVICES hides, so they stand in only without it. */
function gpusOf({ env }: World, { devices, nvml, nvidiaSmi }: Found): readonly Gpu[] | undefined {
  if (devices && !devices.trouble && !devices.thrown) return devices.failed ? [] : withCapability(devices.devices);
  if (env["CUDA_VISIBLE_DEVICES"] !== undefined) return undefined;
  const others: readonly (readonly Described[])[] = [nvml?.devices ?? [], nvidiaSmi?.gpus ?? []];
  // A list with a GPU of unknown capability would let a library through that has no code for it.
  return others.map(withCapability).find((gpus, i) => gpus.length > 0 && gpus.length === others[i]!.length);
}

const withCapability = (gpus: readonly Described[]): Gpu[] =>
  gpus.flatMap(({ id, name, capability, memoryBytes }) =>
    capability ? [{ id, name, capability, ...(memoryBytes !== undefined && { memoryBytes }) }] : [],
  );

/** The bus of WSL2 and of Windows shows nothing, so that none is there says nothing. */
function hardwareOf({ platform }: World, found: Found, gpus: readonly Gpu[] | undefined): boolean | undefined {
  const listed = [gpus, found.nvml?.devices, found.nvidiaSmi?.gpus, found.pci?.gpus].some(
    (each) => each && each.length > 0,
  );
  if (listed || found.system?.kind === "jetson") return true;
  return platform === "linux" && found.system?.kind !== "wsl2" && found.pci ? false : undefined;
}
