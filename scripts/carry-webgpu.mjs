/**
 * `node scripts/carry-webgpu.mjs [--output FILE]`: what checks and times the WebGPU backend on a machine that has a GPU and nothing installed, as one archive:
 * .carry/webgpu.tar.xz by default, 10 MB. The conformance suite and `pnpm bench`, bundled, with Dawn for Node and onnxruntime-web. docs/gpu-check.md says how it is used.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundleForNode, copyKoffi } from "../packages/backend-cuda/scripts/carry.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const backend = join(root, "packages", "backend-webgpu");
const benchmarks = join(root, "benchmarks");

const programs = {
  conformance: join(backend, "test", "carried", "conformance.ts"),
  bench: join(benchmarks, "src", "main.ts"),
  "session-process": join(benchmarks, "src", "session-process.ts"),
};

/** Of each package what Node loads on Linux on x86-64. */
const carried = {
  webgpu: { from: backend, files: ["package.json", "index.js", "dist/linux-x64"] },
  "onnxruntime-web": {
    from: benchmarks,
    files: [
      "package.json",
      "dist/ort.webgpu.bundle.min.mjs",
      "dist/ort-wasm-simd-threaded.asyncify.mjs",
      "dist/ort-wasm-simd-threaded.asyncify.wasm",
    ],
  },
};

/** Found where they are installed, or named as missing. */
const external = [
  "koffi",
  "webgpu",
  "onnxruntime-web",
  "onnxruntime-node",
  "@tensorflow/*",
  "gpu.js",
  "vega",
  "vega-lite",
];

/** Returns the archive's path. */
export async function carryWebgpu({ output = join(root, ".carry", "webgpu.tar.xz") } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-carry-"));
  try {
    const content = join(folder, "webgpu");
    await bundleForNode(programs, content, external);
    copyKoffi(content);
    for (const [name, { from, files }] of Object.entries(carried)) copyPackage(name, from, files, content);
    pack(folder, output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return output;
}

function copyPackage(name, from, files, folder) {
  const own = realpathSync(join(from, "node_modules", name));
  for (const file of files) cpSync(join(own, file), join(folder, "node_modules", name, file), { recursive: true });
}

function pack(folder, output) {
  mkdirSync(dirname(output), { recursive: true });
  // Seconds instead of half a minute, for a fifth more.
  const env = { ...process.env, XZ_OPT: "-2" };
  const { status, stderr } = spawnSync("tar", ["-C", folder, "-cJf", output, "webgpu"], { encoding: "utf8", env });
  if (status !== 0) throw new Error(`tar failed: ${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { output: { type: "string" } } });
  console.log(await carryWebgpu(values.output ? { output: resolve(values.output) } : {}));
}
