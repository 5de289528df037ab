/** The golden vectors of this clone in a page: vitest serves every file of the clone, and its configuration says which there are. */
import type { VectorFiles } from "@halfbyte/conformance";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    goldenPaths: string[];
  }
}

export const servedVectors: VectorFiles = {
  list: async () => inject("goldenPaths"),
  async read(path) {
    const response = await fetch(`/golden/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  },
};
