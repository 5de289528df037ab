/** The native tier: SIMD kernels on all cores, in a library that is loaded when the backend is opened. */
import type { BackendProvider, Candidate, Detection, Device, HalfbyteError } from "@halfbyte/core";
import { type LibraryCandidate, libraryError, loadLibrary, NativeDevice } from "@halfbyte/native";
import { buildHash, buildRemedy, cpuLibraries } from "./library.js";
import { instructionSetCap, machine, memoryBytes, settingSources } from "./machine.js";
import type { OpenOptions } from "./options.js";

export const nativeTier = (given: OpenOptions): BackendProvider => ({
  name: "cpu",
  detect: async () => detect(),
  open: async (options) => open({ ...given, ...options }),
});

/** Looks at files, and loads none of them. */
function detect(): Detection {
  const candidates = cpuLibraries();
  const error = refusalOf(candidates);
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
  const refused = candidates.flatMap(({ path, refusal }) => (refusal ? [{ path, ...refusal }] : []));
  return refused.length < candidates.length ? undefined : libraryError("cpu", refused, buildRemedy);
}

async function open({ threads = 0, memory = "fast", signal }: OpenOptions): Promise<Device> {
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
