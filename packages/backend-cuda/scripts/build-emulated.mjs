/**
 * `node scripts/build-emulated.mjs [--output FOLDER] [--source FOLDER]`: the CUDA sources compiled for the CPU, to be tested where there is no GPU:
 * build/emulated/libhalfbyte_cuda_emulated.so. Needs a C++ compiler. Also a module: buildEmulated() for tests.
 */
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findCompiler, isNewerThan } from "../../../scripts/cmake.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const include = join(folder, "..", "native", "include");
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** Why it cannot be built here. @returns {string | undefined} */
export function reasonWithoutEmulation() {
  if (process.platform !== "linux") return "the emulated device needs Linux (ucontext)";
  return findCompiler() === undefined ? "no C++ compiler found (CXX, clang++ 19, g++)" : undefined;
}

/** The flags that sources of the emulated device need. */
export const emulationFlags = [
  "-std=c++17",
  "-O2",
  "-fPIC",
  "-fvisibility=hidden",
  "-pthread",
  // Every operation rounds once.
  "-ffp-contract=off",
  // 16 bytes are read as words.
  "-fno-strict-aliasing",
  // Fibers change stacks by longjmp.
  "-U_FORTIFY_SOURCE",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-DHB_EMULATED",
];

/**
 * Builds the library when it is older than its sources. Returns its path; throws with what the compiler said. Who comes while another process
 * builds it waits for that.
 * @param {{ output?: string, source?: string, flags?: readonly string[], compiler?: string }} [options]
 */
export function buildEmulated({
  output = join(folder, "build", "emulated"),
  source = join(folder, "native"),
  flags = [],
  compiler = findCompiler(),
} = {}) {
  const library = join(output, "libhalfbyte_cuda_emulated.so");
  if (isNewerThan(library, [source, include])) return library;
  mkdirSync(output, { recursive: true });
  return withLock(join(output, "building"), () =>
    isNewerThan(library, [source, include]) ? library : buildLibrary(library, { source, flags, compiler }),
  );
}

function buildLibrary(library, { source, flags, compiler }) {
  const exports = join(source, "exports.map");
  const fresh = `${library}.${process.pid}`;
  compile(
    [
      ...emulationFlags,
      ...flags,
      "-shared",
      `-DHB_VERSION="${version}"`,
      ...["-I", include, "-I", source],
      ...["-o", fresh, `-Wl,--version-script=${exports}`, "-Wl,--no-undefined"],
      ...["-x", "c++", ...sourcesIn(source), ...sourcesIn(join(source, "emulation"))],
    ],
    compiler,
  );
  renameSync(fresh, library);
  return library;
}

/** Runs `body` in one process at a time; a lock whose process is gone holds nobody up. */
function withLock(lock, body) {
  while (!taken(lock)) {
    if (!isAlive(ownerOf(lock))) rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    return body();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Written elsewhere first: a lock that is there has an owner. */
function taken(lock) {
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, `${process.pid}`);
  try {
    linkSync(mine, lock);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(mine);
  }
}

function ownerOf(lock) {
  try {
    return Number(readFileSync(lock, "utf8"));
  } catch {
    return 0;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}

/** @param {string} folder */
export const sourcesIn = (folder) =>
  readdirSync(folder)
    .filter((name) => /\.(cu|cpp)$/.test(name))
    .sort()
    .map((name) => join(folder, name));

/** @param {readonly string[]} args */
export function compile(args, compiler = findCompiler()) {
  const { status, stdout, stderr } = spawnSync(compiler, args, { encoding: "utf8", maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`${compiler} failed:\n${stdout}${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { output: { type: "string" }, source: { type: "string" } } });
  const reason = reasonWithoutEmulation();
  if (reason) console.log(`${reason}; the emulated device is not built.`);
  else console.log(buildEmulated(values));
}
