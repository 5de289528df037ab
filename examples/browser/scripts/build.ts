/** Builds the page into a folder that any static server can serve: bundles, the WebAssembly kernels, and the files as they are. */
import { copyFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const example = dirname(dirname(fileURLToPath(import.meta.url)));
const { resolve } = createRequire(import.meta.url);

const pages = ["index.html", "style.css", "icon.svg"];
const entries = ["page.ts", "quantize/quantize-worker.ts", "adapter/adapter-worker.ts"];
const kernels = ["halfbyte_cpu.wasm", "halfbyte_cpu.relaxed.wasm"];

/** From the sources of the workspace's packages, so that nothing need be built first but the kernels. */
export async function buildPage(folder: string): Promise<void> {
  await mkdir(join(folder, "build", "wasm"), { recursive: true });
  await build({
    entryPoints: entries.map((entry) => join(example, "src", entry)),
    outdir: join(folder, "app"),
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: ["chrome113", "firefox141", "safari26"],
    conditions: ["@halfbyte/source"],
    loader: { ".wgsl": "text" },
    minify: true,
    logLevel: "warning",
  });
  for (const page of pages) await copyFile(join(example, page), join(folder, page));
  // Where the bundles look for them: below the folder above their own, as in the package.
  for (const name of kernels) await copyFile(kernelFile(name), join(folder, "build", "wasm", name));
}

function kernelFile(name: string): string {
  try {
    return resolve(`@halfbyte/backend-cpu/${name}`);
  } catch (cause) {
    throw new Error(`${name} is not built: run \`pnpm build:wasm\` first.`, { cause });
  }
}
