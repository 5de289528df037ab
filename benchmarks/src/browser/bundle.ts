/** The page's script, as an application would bundle it, and what of it is ours. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import type { BundleSize } from "../report/row.js";

export interface BundleOptions {
  /** `@halfbyte/source`: from the TypeScript sources. Default: the packages as built. */
  readonly conditions?: readonly string[];
}

const folder = import.meta.dirname;

const forBrowsers = ({ conditions = [] }: BundleOptions): BuildOptions & { readonly write: false } => ({
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  conditions: [...conditions],
  loader: { ".wgsl": "text" },
  minify: true,
  logLevel: "silent",
  write: false,
});

/** The first line of the script's evaluation. */
const startMark = "globalThis.moduleStart = performance.now();";

/** Of this folder. */
export const pageEntry = (name: "page" | "first-product"): string => join(folder, `${name}.ts`);

export async function bundlePage(entry: string, options: BundleOptions): Promise<string> {
  const { outputFiles } = await build({
    ...forBrowsers(options),
    entryPoints: [entry],
    banner: { js: startMark },
    // Emscripten and TensorFlow.js ask for these where there is Node.
    external: [
      "node:*",
      "fs",
      "path",
      "module",
      "worker_threads",
      "crypto",
      "perf_hooks",
      "util",
      "os",
      "string_decoder",
      "gl",
    ],
  });
  return outputFiles[0]!.text;
}

const gzipLimit = 120_000;

/** Everything that core and the WebGPU backend export. */
export async function bundleSize(options: BundleOptions): Promise<BundleSize> {
  const contents = `export * from "@halfbyte/core"; export * from "@halfbyte/backend-webgpu";`;
  const { outputFiles } = await build({ ...forBrowsers(options), stdin: { contents, resolveDir: folder } });
  const bytes = outputFiles![0]!.contents;
  const gzipBytes = gzipSync(bytes, { level: 9 }).byteLength;
  return { what: "core and the WebGPU backend", bytes: bytes.byteLength, gzipBytes, gzipLimit };
}
