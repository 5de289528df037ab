/**
 * `node ../../scripts/stage-libraries.mjs [--check | --remove]` in a folder of platforms/: puts all CUDA libraries that were built for that platform, with
 * their manifest, where they are packed from; --remove takes them away again, --check only says by its exit code whether there is one. Refuses to pack
 * an empty package. Plain Node.
 */
import { copyFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { entriesOf, sha256 } from "./manifest.mjs";

const build = resolve(dirname(fileURLToPath(import.meta.url)), "..", "build");
const target = process.cwd();
const [platform, arch] = basename(target).split("-");
const [mode] = process.argv.slice(2);

if (mode === "--remove") remove();
else stage();

function remove() {
  const staged = readdirSync(target).filter((name) => /^libhalfbyte_cuda\d+\.so$|^manifest\.json$/.test(name));
  for (const name of staged) rmSync(join(target, name));
}

function stage() {
  const entries = entriesOf(build).filter((entry) => entry.platform === platform && entry.arch === arch);
  const changed = entries.find(({ file, sha256: stated }) => sha256(join(build, file)) !== stated);
  if (changed) return refuse(`${changed.file} is not what its manifest says: build it again.`);
  if (entries.length === 0)
    return refuse(
      `No CUDA library is built for ${platform} on ${arch}: see packages/backend-cuda/scripts/build-cuda.mjs.`,
    );
  if (mode === "--check") return;
  for (const { file } of entries) copyFileSync(join(build, file), join(target, file));
  // Who installs the package does not build it: what a library was made of is of no use there.
  const libraries = entries.map(({ inputs, sysroot, ...entry }) => entry);
  writeFileSync(join(target, "manifest.json"), `${JSON.stringify({ libraries }, null, 2)}\n`);
}

function refuse(why) {
  console.error(why);
  process.exitCode = 1;
}
