/** The CUDA sources on an emulated device, as a backend: loaded by the same loader and driven by the same NativeDevice as a real library. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Backend, type BackendProvider, openBackend } from "@halfbyte/core";
import { loadLibrary, type MemoryUse, NativeDevice } from "@halfbyte/native";
import { buildEmulated, reasonWithoutEmulation } from "../scripts/build-emulated.mjs";
import { errorMeaning } from "../src/probe-library.js";

export const noEmulation = reasonWithoutEmulation();

/** The one that the sanitizers' tests have built, or our own. */
export const emulatedLibrary = (): string => process.env["HALFBYTE_EMULATED_LIBRARY"] ?? buildEmulated();

export interface EmulatedOptions {
  readonly library?: string;
  readonly device?: number;
  readonly memory?: MemoryUse;
}

export const emulatedCuda = (options: EmulatedOptions = {}): BackendProvider => ({
  name: "cuda",
  detect: async () => ({
    provider: "cuda",
    available: true,
    versions: {},
    sources: [],
    candidates: [],
    devices: [{ id: `cuda:${options.device ?? 0}`, name: "emulated", software: false }],
  }),
  open: async () => new NativeDevice(...(await opened(options))),
});

/** That device and nothing else: the registry would fall back to the reference kernels, which pass every test. */
export async function openEmulated(options: EmulatedOptions = {}): Promise<Backend> {
  const backend = await openBackend([emulatedCuda(options)], { order: ["cuda"], selfTest: false });
  const name = nameOf(options);
  if (backend.name === name) return backend;
  await backend.dispose();
  throw new Error(`The emulated ${name} did not open: ${JSON.stringify(backend.report.skipped)}`);
}

const nameOf = ({ device }: EmulatedOptions) => (device === undefined ? "cuda" : `cuda:${device}`);

async function opened(options: EmulatedOptions): Promise<ConstructorParameters<typeof NativeDevice>> {
  const { library: path = emulatedLibrary(), device = 0, memory = "fast" } = options;
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const { functions, build } = await loadLibrary([{ path, sha256 }], { backend: "cuda", machine: ["emulated"] });
  const { operations } = build;
  const known = { name: nameOf(options), device, memory, tier: "emulated", maxTensorBytes: 2 ** 31 };
  const given = { ...known, variantOf: () => "emulated", explain: errorMeaning({ driver: { major: 13, minor: 0 } }) };
  return [functions, operations ? { ...given, operations } : given];
}
