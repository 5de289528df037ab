/**
 * `node scripts/check-library.mjs [library…]`: what a built CUDA library must be, looked up in its file: it offers halfbyte.h and nothing else, needs no CUDA
 * library and no newer system than stated, holds the code its manifest lists, is small, and its kernels are what they were meant to be
 * (check-kernels.mjs). Default: everything in build/. Plain Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  compareVersions,
  exportedSymbols,
  glibcFloor,
  highestVersion,
  neededLibraries,
} from "../../../scripts/elf.mjs";
import { capabilityOf } from "./architectures.mjs";
import { kernelProblems, kernelRows, kernelTable } from "./check-kernels.mjs";
import { resourcesIn } from "./kernel-code.mjs";
import { entriesOf } from "./manifest.mjs";
import { findCuobjdump } from "./toolkits.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const header = join(folder, "..", "native", "include", "halfbyte.h");

/** RHEL 7 and everything since; with the sysroot of fetch-toolkits.mjs. */
export const oldestSystem = { GLIBC: "2.17", GLIBCXX: "3.4" };

/** What one library may take on disk: three of them are in one package. */
const mostBytes = 6e6;

/** Functions of the header, and the one that explains a status. */
function abi() {
  const code = readFileSync(header, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const names = [...code.matchAll(/^HB_\w+ [\w\s]+?\*?\s*(hb_\w+)\(/gm)].map(([, name]) => name);
  return [...new Set([...names, "hb_last_error"])].sort();
}

/**
 * What is wrong with a library; empty when it is right. `floors` are left out for builds against this machine's own system.
 * @param {string} library
 * @param {{ sass: readonly string[], ptx: readonly string[] }} stated capabilities
 * @param {Record<string, string>} [floors]
 * @returns {string[]}
 */
export function problemsOf(library, stated, floors = oldestSystem) {
  const elf = readFileSync(library);
  return [
    ...exportProblems(exportedSymbols(elf)),
    ...neededLibraries(elf)
      .filter((name) => /^lib(cuda|cudart|cublas|nv)/.test(name))
      .map((name) => `it needs ${name}: the CUDA runtime must be part of it, and the driver is looked up when it runs`),
    ...Object.entries(floors).flatMap(([family, floor]) => floorProblem(elf, family, floor)),
    ...(elf.length > mostBytes ? [`it has ${elf.length} bytes, more than ${mostBytes}`] : []),
    ...codeProblems(library, stated),
    ...kernelProblems(library),
  ];
}

function exportProblems(found) {
  const expected = abi();
  return [
    ...expected.filter((name) => !found.includes(name)).map((name) => `it lacks ${name}`),
    ...found.filter((name) => !expected.includes(name)).map((name) => `it shows ${name}, which is not in halfbyte.h`),
  ];
}

function floorProblem(elf, family, floor) {
  const needed = highestVersion(elf, family);
  return needed !== null && compareVersions(needed, floor) > 0
    ? [`it needs ${family}_${needed}, newer than ${floor}`]
    : [];
}

/** Without cuobjdump nobody can look. */
function codeProblems(library, stated) {
  const found = codeIn(library);
  if (!found) return [];
  return ["sass", "ptx"].flatMap((kind) => {
    const [is, wanted] = [found[kind].join(" "), [...stated[kind]].join(" ")];
    return is === wanted ? [] : [`its ${kind} is for ${is || "nothing"} instead of ${wanted || "nothing"}`];
  });
}

/** Capabilities of the machine code and the PTX in a library, as cuobjdump lists them. @param {string} library */
export function codeIn(library) {
  const cuobjdump = findCuobjdump();
  if (!cuobjdump) return undefined;
  return {
    sass: numbersIn(listing(cuobjdump, "--list-elf", library)),
    ptx: numbersIn(listing(cuobjdump, "--list-ptx", library)),
  };
}

function listing(cuobjdump, what, library) {
  const { status, stdout, stderr } = spawnSync(cuobjdump, [what, library], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${cuobjdump} ${what} ${library} failed: ${stderr}`);
  return stdout;
}

const numbersIn = (text) =>
  [...new Set([...text.matchAll(/sm_(\d+)/g)].map(([, number]) => number))].sort((a, b) => a - b).map(capabilityOf);

/** One line about a library. */
export function describeLibrary(library) {
  const elf = readFileSync(library);
  const needs = neededLibraries(elf).flatMap((name) => /^lib(.*?)\.so/.exec(name)?.[1] ?? []);
  const kilobytes = Math.round(elf.length / 1000);
  return `${basename(library)}: ${kilobytes} kB, ${exportedSymbols(elf).length} functions, glibc ${glibcFloor(elf)}, libstdc++ ${highestVersion(elf, "GLIBCXX") ?? "not needed"}, needs ${needs.join(" ")}`;
}

function main(libraries) {
  const build = join(folder, "build");
  const known = entriesOf(build).map(({ file }) => join(build, file));
  const looked = libraries.length > 0 ? libraries : known;
  if (looked.length === 0) console.log("No CUDA library is built; there is nothing to check.");
  for (const library of looked) report(library);
}

function report(library) {
  const entry = entriesOf(dirname(library)).find(({ file }) => file === basename(library));
  const problems = !existsSync(library)
    ? ["it does not exist"]
    : entry
      ? problemsOf(library, entry, entry.sysroot ? oldestSystem : {})
      : ["no manifest.json beside it speaks of it"];
  console.log(problems.length > 0 ? `${basename(library)}:` : describeLibrary(library));
  for (const problem of problems) console.error(`  ${problem}`);
  if (existsSync(library)) console.log(kernelTable(kernelRows(resourcesIn(library) ?? [])).join("\n"));
  if (problems.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
