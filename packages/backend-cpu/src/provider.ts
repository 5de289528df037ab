/**
 * The provider of backend "cpu". Its tiers are the native library and, only when asked for by name, core's reference kernels.
 * Without a library it says why and leaves the choice of another backend to the registry.
 */
import {
  type BackendProvider,
  type Candidate,
  type Detection,
  type Device,
  type HalfbyteError,
  halfbyteError,
  reference,
} from "@halfbyte/core";
import { type LibraryCandidate, libraryError, loadLibrary, type MemoryUse, NativeDevice } from "@halfbyte/native";
import { buildHash, buildRemedy, cpuLibraries } from "./library.js";
import { instructionSetCap, machine, memoryBytes, settingSources } from "./machine.js";

const tiers = ["native", "reference"] as const;
const memoryUses = ["fast", "lean"] as const;
export type CpuTier = (typeof tiers)[number];

export interface CpuOptions {
  /** Default: native. */
  readonly tier?: CpuTier;
  /** Default: HALFBYTE_THREADS, else as many as the machine has. All backends of a process share one pool. */
  readonly threads?: number;
  /** fast (default): weights of products are kept a second time, as the kernels read them best; lean: they are not. */
  readonly memory?: MemoryUse;
}

type OpenOptions = CpuOptions & { readonly signal?: AbortSignal };

/** SIMD kernels on all cores, in a library that is loaded when the backend is opened. */
export function cpu(given: CpuOptions = {}): BackendProvider<CpuOptions> {
  return {
    name: "cpu",
    detect: async (options) => detect({ ...given, ...options }),
    open: async (options) => open({ ...given, ...options }),
  };
}

/** Looks at files, and loads none of them. */
function detect({ tier }: CpuOptions): Detection {
  const candidates = tier === "reference" ? [] : cpuLibraries();
  const error = tier === "reference" ? undefined : refusalOf(candidates);
  const build = buildHash(candidates);
  return {
    provider: "cpu",
    available: error === undefined,
    ...(error ? { reason: { code: error.code, message: error.message, remedy: error.remedy } } : {}),
    // Lets a passed self-test be remembered.
    versions: build === undefined ? {} : { build },
    sources: settingSources(),
    candidates: candidates.map(verdict),
    devices: [machine()],
  };
}

function verdict({ path, refusal }: LibraryCandidate): Candidate {
  const unread = { library: path, version: "unknown" };
  if (refusal) {
    const { code, message, remedy } = refusal;
    return { ...unread, verdict: "refused", code, reason: message, remedy };
  }
  const reason = "The file is there; it is asked for its version when it is opened.";
  return { ...unread, verdict: "compatible", code: "FOUND", reason };
}

/** Why nothing can be opened, as far as that shows without loading a library. */
function refusalOf(candidates: readonly LibraryCandidate[]): HalfbyteError | undefined {
  if (asksForWasm()) return noWasm();
  const refused = candidates.flatMap(({ path, refusal }) => (refusal ? [{ path, ...refusal }] : []));
  return refused.length < candidates.length ? undefined : libraryError("cpu", refused, buildRemedy);
}

const asksForWasm = (): boolean => instructionSetCap()?.startsWith("wasm") === true;

const noWasm = (): HalfbyteError =>
  halfbyteError("NOT_AVAILABLE", "HALFBYTE_CPU_ISA asks for WebAssembly, which this release does not have.", {
    remedy: "Unset HALFBYTE_CPU_ISA, or set it to avx512, avx2, neon or scalar.",
  });

async function open({ tier = "native", threads = 0, memory = "fast", signal }: OpenOptions): Promise<Device> {
  expectOptions(tier, threads, memory);
  if (tier === "reference") return reference().open();
  if (asksForWasm()) throw noWasm();
  const { functions, build } = await loadLibrary(cpuLibraries(), {
    backend: "cpu",
    machine: [machine().name, instructionSetCap() ?? ""],
    remedy: buildRemedy,
    ...(signal ? { signal } : {}),
  });
  return new NativeDevice(functions, {
    name: "cpu",
    tier: build.isa,
    threads,
    memory,
    maxTensorBytes: memoryBytes(),
    variantOf: (operation) => build.kernels[operation] ?? build.isa,
  });
}

function expectOptions(tier: CpuTier, threads: number, memory: MemoryUse): void {
  expectOneOf("tier", tier, tiers);
  expectOneOf("memory", memory, memoryUses);
  if (!Number.isSafeInteger(threads) || threads < 0 || threads > 1024)
    throw halfbyteError("INVALID_ARGUMENT", `threads is ${String(threads)}, expected an integer from 0 to 1024.`);
}

function expectOneOf<T extends string>(name: string, value: T, allowed: readonly T[]): void {
  if (allowed.includes(value)) return;
  throw halfbyteError("INVALID_ARGUMENT", `${name} is ${String(value)}; allowed: ${allowed.join(", ")}.`);
}
