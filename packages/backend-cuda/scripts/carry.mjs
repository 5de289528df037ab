/**
 * `node packages/backend-cuda/scripts/carry.mjs [--output FOLDER] [--node FILE | --no-node]`: what `pnpm gpu:check` needs of JavaScript on a machine
 * that has none, in one folder: .carry/ by default. The conformance suite as one file, koffi, and a Node (packed with xz, 25 MB).
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const packages = dirname(folder);
const root = dirname(packages);

/**
 * The suite and what it loads. Returns the folder.
 * @param {{ output?: string, node?: string | undefined }} [options] node: a Node program to carry, undefined: none
 */
export async function carry({ output = join(root, ".carry"), node } = {}) {
  mkdirSync(output, { recursive: true });
  await bundleSuite(output);
  copyKoffi(output);
  if (node) packNode(realpathSync(node), output);
  return output;
}

async function bundleSuite(output) {
  await bundleForNode({ conformance: join(folder, "test", "carried", "conformance.ts") }, output, ["koffi"]);
  // Started by name, as programs of their own, from beside the file that they belong to.
  for (const child of [
    "native/src/probe-child.cjs",
    "backend-cuda/src/device-list-child.cjs",
    "backend-cuda/src/library-child.cjs",
  ])
    cpSync(join(packages, child), join(output, child.split("/").at(-1)));
}

/**
 * Programs of the repository as single files NAME.mjs. The conformance suite finds a stand-in where it looks for vitest.
 * @param {Record<string, string>} entryPoints by name
 * @param {string} outdir
 * @param {string[]} external packages that are found where they are installed
 */
export async function bundleForNode(entryPoints, outdir, external) {
  await build({
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@halfbyte/source"],
    alias: { vitest: join(root, "test", "carried", "vitest.ts") },
    external,
    loader: { ".wgsl": "text" },
    logLevel: "warning",
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
  });
}

/** Its JavaScript, sources beside it left out, and the one binary for Linux on x86-64 with glibc. */
export function copyKoffi(output) {
  const own = realpathSync(join(packages, "native", "node_modules", "koffi"));
  const binary = realpathSync(
    dirname(createRequire(join(own, "package.json")).resolve("@koromix/koffi-linux-x64/package.json")),
  );
  const modules = join(output, "node_modules");
  rmSync(modules, { recursive: true, force: true });
  for (const name of [
    "package.json",
    "index.js",
    "index.cjs",
    "indirect.js",
    "indirect.cjs",
    "src/koffi",
    "LICENSE.txt",
  ])
    cpSync(join(own, name), join(modules, "koffi", name), { recursive: true, filter: isNoSource });
  for (const name of ["package.json", "index.js", "linux_x64"])
    cpSync(join(binary, name), join(modules, "@koromix", "koffi-linux-x64", name), { recursive: true });
}

const isNoSource = (path) => !/\.(cc|hh|h|inc|S|asm|txt)$/.test(path) || path.endsWith("LICENSE.txt");

/** node.tar.xz with bin/node: what gpu:check unpacks. */
function packNode(program, output) {
  const archive = join(output, "node.tar.xz");
  const args = ["-C", dirname(program), "--transform=s,^,bin/,", "-cJf", archive, program.split("/").at(-1)];
  const { status, stderr } = spawnSync("tar", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar failed: ${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { output: { type: "string" }, node: { type: "string" }, "no-node": { type: "boolean" } },
  });
  const node = values["no-node"] ? undefined : (values.node ?? process.execPath);
  console.log(await carry({ ...(values.output && { output: values.output }), node }));
}
