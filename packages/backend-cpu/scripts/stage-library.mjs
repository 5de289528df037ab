/**
 * `node ../../scripts/stage-library.mjs [--check | --remove]` in a folder of platforms/: puts the library that was built for that platform,
 * with its manifest, where it is packed from; --remove takes both away again, --check only says by its exit code whether there is one.
 * Refuses to pack an empty package, or one with a library for another machine. Plain Node.
 */
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const build = resolve(dirname(fileURLToPath(import.meta.url)), "..", "build");
const file = "libhalfbyte_cpu.so";

/** Where build-native.mjs puts the library of a platform: its own machine's, or a target's. */
const folders = [build, join(build, "aarch64")];

const [platform, arch] = basename(process.cwd()).split("-");
const [mode] = process.argv.slice(2);
if (mode === "--remove") {
  for (const name of [file, "manifest.json"]) rmSync(join(process.cwd(), name), { force: true });
} else {
  stage(folders.find(isForThisPlatform));
}

function stage(folder) {
  if (!folder) {
    console.error(
      `${file} is not built for ${platform} on ${arch}: see packages/backend-cpu/scripts/build-native.mjs.`,
    );
    process.exitCode = 1;
  } else if (mode !== "--check") {
    for (const name of [file, "manifest.json"]) copyFileSync(join(folder, name), join(process.cwd(), name));
  }
}

function isForThisPlatform(candidate) {
  const manifest = join(candidate, "manifest.json");
  if (!existsSync(manifest) || !existsSync(join(candidate, file))) return false;
  const { libraries } = JSON.parse(readFileSync(manifest, "utf8"));
  return libraries.some((library) => library.platform === platform && library.arch === arch);
}
