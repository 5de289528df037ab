/** The CUDA sources on an emulated device, as a backend: loaded by the same loader and driven by the same NativeDevice as a real library. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { BackendProvider } from "@halfbyte/core";
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

async function opened(path: string): Promise<ConstructorParameters<typeof NativeDevice>> {
  const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
  const { functions, build } = await loadLibrary([{ path, sha256 }], { backend: "cuda", machine: ["emulated"] });
  const { operations } = build;
  const options = { name: "cuda", tier: "emulated", maxTensorBytes: 2 ** 31, variantOf: () => "emulated" };
  return [functions, operations ? { ...options, operations } : options];
}
