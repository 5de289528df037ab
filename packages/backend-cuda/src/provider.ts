/**
 * The provider of backend "cuda". detect() looks, quickly and without starting the driver; open() asks for the GPUs too, tries the
 * libraries that fit, best first, each in a process of its own, and opens the first that works.
 */
import {
  type BackendProvider,
  type Detection,
  type Device,
  type HalfbyteError,
  halfbyteError,
  messageOf,
} from "@halfbyte/core";
import { loadLibrary, NativeDevice, type Refusal, reasonOf, verifiedLibrary } from "@halfbyte/native";
import { choiceDetails } from "./choice-details.js";
import { type Choice, choose } from "./choose.js";
import { type CudaOptions, deviceNumber, expectOptions, type OpenOptions } from "./cuda-options.js";
import { detectionOf } from "./detection.js";
import { errorOf } from "./error-of.js";
import { libraryId } from "./library-name.js";
import type { Examination, ExamineOptions, Gpu, MachineFacts } from "./machine-facts.js";
import { errorMeaning, probeOptions } from "./probe-library.js";
import type { SelectableLibrary } from "./selection.js";
import { sayVerdict, tellFindings, tellLibrary } from "./tell-choice.js";
import type { World } from "./world.js";

/** What the provider asks the machine through; tests put their own in place. */
export interface Surroundings {
  readonly world: World;
  examine(world: World, options?: ExamineOptions): Promise<Examination>;
  findLibraries(world: World): Promise<readonly SelectableLibrary[]>;
}

type DetectOptions = CudaOptions & ExamineOptions;

export const cudaProvider = (given: CudaOptions, surroundings: () => Surroundings): BackendProvider<CudaOptions> => ({
  name: "cuda",
  detect: (options) => detect({ ...given, ...options }, surroundings).catch(failedDetection),
  open: async (options) => open({ ...given, ...options }, surroundings()),
});

interface Look {
  readonly examination: Examination;
  readonly choice: Choice;
}

async function look(options: DetectOptions, { world, examine, findLibraries }: Surroundings): Promise<Look> {
  const { depth = "quick", signal, prefer, version } = options;
  const device = deviceNumber(options.device);
  const [examination, libraries] = await Promise.all([
    examine(world, { depth, ...(signal && { signal }) }),
    findLibraries(world),
  ]);
  const wanted = {
    ...(prefer && { prefer }),
    ...(version !== undefined && { version }),
    ...(device !== undefined && { device }),
  };
  return { examination, choice: choose(examination, libraries, world.env, wanted) };
}

async function detect(options: DetectOptions, surroundings: () => Surroundings): Promise<Detection> {
  const { examination, choice } = await look(options, surroundings());
  return detectionOf(examination, choice);
}

function failedDetection(thrown: unknown): Detection {
  const reason = reasonOf("DETECT_FAILED", `CUDA could not be looked for: ${messageOf(thrown)}.`);
  return { provider: "cuda", available: false, reason, versions: {}, sources: [], candidates: [], devices: [] };
}

async function open(options: OpenOptions, surroundings: Surroundings): Promise<Device> {
  expectOptions(options);
  const { examination, choice } = await look({ ...options, depth: "full" }, surroundings);
  if (options.signal?.aborted) throw halfbyteError("ABORTED", "Opening CUDA was aborted.");
  tellFindings(examination, choice);
  const { facts } = examination;
  if (choice.problem) throw errorOf(choice.problem, choiceDetails(facts, choice));
  const device = deviceNumber(options.device) ?? 0;
  const gpu = gpuOf(facts, device);
  const library = await load(choice, facts, { ...options, device });
  tellLibrary(library.path, choice);
  return deviceOf(library, facts, device, gpu);
}

interface LoadOptions extends Pick<OpenOptions, "probeLimitMs" | "signal"> {
  readonly device: number;
}

type Loaded = Awaited<ReturnType<typeof loadLibrary>> & { readonly tier: string };

async function load(
  choice: Choice,
  facts: MachineFacts,
  { device, probeLimitMs, signal }: LoadOptions,
): Promise<Loaded> {
  const { usable } = choice.selection;
  const loaded = await loadLibrary(
    usable.map(({ path }) => verifiedLibrary(path)),
    {
      ...probeOptions(facts, { device, limitMs: probeLimitMs, signal }),
      noneLeft: (refused) => noneWorks(refused, choice, choiceDetails(facts, choice)),
    },
  );
  return { ...loaded, tier: libraryId(usable.find(({ path }) => path === loaded.path)!) };
}

function deviceOf(
  { functions, build, tier }: Loaded,
  facts: MachineFacts,
  device: number,
  gpu: Gpu | undefined,
): Device {
  return new NativeDevice(functions, {
    name: `cuda:${device}`,
    tier,
    device,
    // Where nobody told, the driver's refusal decides.
    maxTensorBytes: gpu?.memoryBytes ?? Number.MAX_SAFE_INTEGER,
    explain: errorMeaning(facts),
    ...(build.operations && { operations: build.operations }),
    variantOf: (operation) => build.kernels[operation] ?? tier,
  });
}

/** Undefined where the list of GPUs could not be had; then the library decides. */
function gpuOf({ gpus }: MachineFacts, device: number): Gpu | undefined {
  if (!gpus || gpus[device]) return gpus?.[device];
  if (gpus.length === 0) throw errorOf(reasonOf("CUDA_NO_DEVICE", "The driver sees no GPU."));
  const there = gpus.map(({ name }, number) => `cuda:${number} (${name})`).join(", ");
  throw halfbyteError("INVALID_ARGUMENT", `There is no device cuda:${device}; there are ${there}.`);
}

/** What every library that was tried did, and why the others were not; under one code where the tried ones agree. */
function noneWorks(
  refused: readonly Refusal[],
  { selection, override }: Choice,
  details: HalfbyteError["details"],
): HalfbyteError {
  const tried = refused.map(({ code, message }) => `  ${message} (${code})`);
  const paths = refused.map(({ path }) => path);
  const others = selection.candidates.filter(({ path }) => !paths.includes(path)).map((one) => `  ${sayVerdict(one)}`);
  const [first] = refused;
  const isOne = refused.every(({ code }) => code === first!.code);
  const forced = override ? ` ${override.variable}=${override.value} allows no other.` : "";
  const message = `No CUDA library works here.${forced}\n${[...tried, ...others].join("\n")}`;
  return isOne ? errorOf({ ...first!, message }, details) : halfbyteError("CUDA_NO_LIBRARY_FITS", message, { details });
}
