/** Building native libraries with CMake, when they are older than their sources. Plain Node: runs before anything is installed. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

/** Why nothing native shall be built here. @returns {string | undefined} */
export function reasonToSkip() {
  const name = ["HALFBYTE_SKIP_NATIVE", "BNB_SKIP_CMAKE"].find((variable) => isSet(process.env[variable]));
  return name && `${name} is set`;
}

function isSet(value) {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}

/** Whether the library is newer than all these files and folders, tests excepted. @param {string} library @param {readonly string[]} sources */
export function isNewerThan(library, sources) {
  const built = changedAt(library);
  return built > 0 && sources.flatMap(filesOf).every((file) => changedAt(file) < built);
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => name !== "test")
    .flatMap((name) => filesOf(join(path, name)));
}

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/**
 * CXX alone when it is given; else the newest clang from 19 on, then what the system calls its compiler. Visual C++ is CMake's to find.
 * @param {readonly string[]} [names] instead of those
 */
export function findCompiler(names) {
  const given = process.env["CXX"];
  if (given) return findProgram([given]);
  const clangs = [22, 21, 20, 19].map((version) => `clang++-${version}`);
  return findProgram(names ?? [...clangs, "g++", "clang++"]);
}

/** The first name that runs. @param {readonly string[]} names */
export function findProgram(names) {
  return names.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
}

/**
 * Configures and builds. Returns what was said when that failed.
 * @param {{ cmake: string, compiler?: string, source: string, cmakeFolder: string, library: string, options?: readonly string[] }} build
 * @returns {string | undefined}
 */
export function buildWithCMake({ cmake, compiler, source, cmakeFolder, library, options = [] }) {
  const started = new Date();
  if (changesCompiler(cmakeFolder, compiler)) rmSync(cmakeFolder, { recursive: true, force: true });
  const generator = findProgram(["ninja"]) && !existsSync(join(cmakeFolder, "CMakeCache.txt")) ? ["-G", "Ninja"] : [];
  const chosen = compiler ? [...options, `-DCMAKE_CXX_COMPILER=${compiler}`] : options;
  const configure = ["-S", source, "-B", cmakeFolder, "-DCMAKE_BUILD_TYPE=Release", ...generator, ...chosen];
  for (const args of [configure, ["--build", cmakeFolder, "--config", "Release", "--parallel"]]) {
    const { status, stdout, stderr } = spawnSync(cmake, args, { encoding: "utf8", maxBuffer: 64 << 20 });
    if (status !== 0) return `${stdout}${stderr}\ncmake ${args.join(" ")} failed; the reason stands above.`;
  }
  // As new as what it was made from, even if CMake found nothing to link again.
  utimesSync(library, started, started);
  return undefined;
}

/** CMake keeps to the compiler of its cache. */
function changesCompiler(cmakeFolder, compiler) {
  const cache = join(cmakeFolder, "CMakeCache.txt");
  if (!compiler || !existsSync(cache)) return false;
  const known = /^CMAKE_CXX_COMPILER:[^=]*=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  return known === undefined || !(known === compiler || known.endsWith(`/${compiler}`));
}
