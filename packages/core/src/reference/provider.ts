/** The provider that is always there. */
import type { BackendProvider } from "../registry.js";
import { createReferenceDevice } from "./device.js";

/** Plain JavaScript, on every platform: exact and slow. `openBackend` appends it to every list. */
export function reference(): BackendProvider {
  return {
    name: "reference",
    detect: async () => ({
      provider: "reference",
      available: true,
      versions: {},
      sources: [],
      candidates: [],
      devices: [{ id: "reference", name: "JavaScript reference kernels", software: false }],
    }),
    open: async () => createReferenceDevice(),
  };
}
