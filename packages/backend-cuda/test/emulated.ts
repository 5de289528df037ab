/** The CUDA sources on an emulated device, as a backend: loaded by the same loader and driven by the same NativeDevice as a real library. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Backend, type BackendProvider, openBackend } from "@halfbyte/core";
import { loadLibrary, NativeDevice } from "@halfbyte/native";
import { buildEmulated, reasonWithoutEmulation } from "../scripts/build-emulated.mjs";

export const noEmulation = reasonWithoutEmulation();

export const emulatedCuda = (library = buildEmulated()): BackendProvider => ({
  name: "cuda",
  detect: async () => ({
    provider: "cuda",
    available: true,
    versions: {},
    sources: [],
    candidates: [],
    devices: [{ id: "cuda:0", name: "emulated", software: false }],
  }),
  open: async () => new NativeDevice(...(await opened(library))),
});

/** That device and nothing else: the registry would fall back to the reference kernels, which pass every test. */
export async function openEmulated(): Promise<Backend> {
  const backend = await openBackend([emulatedCuda()], { order: ["cuda"], selfTest: false });
  if (backend.name !== "cuda") throw new Error(`The emulated device did not open: ${JSON.stringify(backend.report)}`);
  return backend;
}

async function opened(path: string): Promise<ConstructorParameters<typeof NativeDevice>> {
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const { functions, build } = await loadLibrary([{ path, sha256 }], { backend: "cuda", machine: ["emulated"] });
  const { operations } = build;
  const options = { name: "cuda", tier: "emulated", maxTensorBytes: 2 ** 31, variantOf: () => "emulated" };
  return [functions, operations ? { ...options, operations } : options];
}
