/**
 * `node scripts/build-cuda.mjs [118 124 130 … | all] [options]`: compiles the CUDA sources with real toolkits, one library per CUDA version, into
 * build/, with one manifest.json, and checks each. A library whose sources, flags and toolkit did not change is left alone. Without arguments: what
 * the toolkits found here can build.
 *
 *   --toolkit DIR               a toolkit to use before the others; may be repeated
 *   --fetch                     fetch the toolkits of 11.8 and 12.4 and an old glibc from Debian, if they are missing
 *   --accept-nvidia-eula        you accept the licence of what is fetched (HALFBYTE_ACCEPT_NVIDIA_EULA=1 says the same)
 *   --require 118,124,130       fail when one of these was not built; otherwise a missing toolkit is said and skipped
 *   --output DIR                instead of build/
 *   --force                     build what is up to date, too
 *   --verbose                   what the assembler says of registers and stacks
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findProgram, reasonToSkip } from "../../../scripts/cmake.mjs";
import { glibcFloor, neededLibraries } from "../../../scripts/elf.mjs";
import { architecturesOf, capabilityOf, gencode } from "./architectures.mjs";
import { recordKernels } from "./check-kernels.mjs";
import { describeLibrary, oldestSystem, problemsOf } from "./check-library.mjs";
import { fetchToolkits, isFetchable } from "./fetch-toolkits.mjs";
import { entriesOf, putEntry, sha256 } from "./manifest.mjs";
import { findToolkits, hostCompiler, sysroot } from "./toolkits.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const native = join(folder, "native");
const include = join(folder, "..", "native", "include");
const { version: halfbyte } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** What this project ships. */
const shipped = ["11.8", "12.4", "13.0"];

const usage =
  "Usage: pnpm build:cuda [118 124 130 | all] [--toolkit DIR] [--fetch --accept-nvidia-eula] [--require 118,124,130]";

/** The exit code: 1 when something that should have been built was not, 2 for arguments nobody understands. */
async function main() {
  const wish = wishOf(process.argv.slice(2));
  if (!wish) return 2;
  const skip = reasonToSkip();
  if (skip) return say(`${skip}; no CUDA library is built.`, wish.required.length > 0 ? 1 : 0);
  if (process.platform !== "linux" || process.arch !== "x64")
    return say("CUDA libraries are built on Linux on x86-64 only, for now.", wish.required.length > 0 ? 1 : 0);
  if (!findProgram(["g++"]))
    return say("No g++ found, which nvcc needs; no CUDA library is built.", wish.required.length > 0 ? 1 : 0);
  // A build has time; the compilers that it starts inherit this.
  setPriority(10);
  if (wish.fetch) await fetchMissing(wish);
  return buildAll(wish);
}

function wishOf(args) {
  try {
    const options = {
      toolkit: { type: "string", multiple: true, default: [] },
      fetch: { type: "boolean", default: false },
      "accept-nvidia-eula": { type: "boolean", default: process.env["HALFBYTE_ACCEPT_NVIDIA_EULA"] === "1" },
      require: { type: "string", default: "" },
      output: { type: "string", default: join(folder, "build") },
      force: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
    };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    const required = values.require.split(",").filter(Boolean).map(versionOf);
    const named = positionals.includes("all") ? shipped : positionals.map(versionOf);
    return {
      ...values,
      accepted: values["accept-nvidia-eula"],
      required,
      wanted: [...new Set([...named, ...required])],
    };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    return undefined;
  }
}

/** "124" and "12.4" are 12.4. */
function versionOf(text) {
  const match = /^(\d{2})\.?(\d{1,2})$/.exec(text);
  if (!match) throw new Error(`"${text}" is no CUDA version such as 124.`);
  return `${match[1]}.${match[2]}`;
}

const digitsOf = (version) => version.replace(".", "");

function say(message, code) {
  (code === 0 ? console.log : console.error)(message);
  return code;
}

/** Fetches what is wanted, can be fetched and is not here. What cannot be had is a missing toolkit like any other. */
async function fetchMissing({ toolkit, wanted, accepted }) {
  const here = findToolkits(toolkit).map(({ version }) => version);
  const missing = (wanted.length > 0 ? wanted : shipped).filter(
    (version) => isFetchable(version) && !here.includes(version),
  );
  const failure = await fetchToolkits(missing, { accepted });
  if (failure) console.error(failure);
}

function buildAll({ toolkit, wanted, required, ...options }) {
  const toolkits = findToolkits(toolkit);
  const versions = wanted.length > 0 ? wanted : toolkits.map(({ version }) => version);
  if (versions.length === 0)
    return say("No CUDA toolkit found (CUDA_HOME, nvcc on PATH, /usr/local/cuda); no CUDA library is built.", 0);
  const outcomes = versions.map((version) => {
    const found = toolkits.find((toolkit) => toolkit.version === version);
    return found ? buildOne(found, options) : notHere(version, required.includes(version));
  });
  return outcomes.includes("failed") ? 1 : 0;
}

function notHere(version, isRequired) {
  const fetch = isFetchable(version) ? " (--fetch --accept-nvidia-eula fetches it)" : "";
  console.error(
    `CUDA ${version}: ${isRequired ? "required, and " : ""}no toolkit found${fetch}; libhalfbyte_cuda${digitsOf(version)} is not built.`,
  );
  return isRequired ? "failed" : "skipped";
}

function buildOne(toolkit, { output, force, verbose }) {
  const library = join(output, `libhalfbyte_cuda${digitsOf(toolkit.version)}.so`);
  const recipe = recipeOf(toolkit);
  const known = entriesOf(output).find(({ file }) => file === basename(library));
  if (!force && known?.inputs === recipe.inputs && known.sha256 === sha256(library)) {
    console.log(`CUDA ${toolkit.version}: up to date. ${describeLibrary(library)}`);
    return "built";
  }
  return compile(toolkit, recipe, library, verbose) ? "built" : "failed";
}

/** What a library is made of; its hash tells whether it must be made again. */
function recipeOf(toolkit) {
  const listed = spawnSync(toolkit.nvcc, ["--list-gpu-arch"], { encoding: "utf8" }).stdout ?? "";
  const architectures = architecturesOf(listed);
  const [host, root] = [hostCompiler(toolkit), sysroot()];
  const flags = [...flagsOf(architectures, host, root), ...compressionOf(toolkit)];
  const files = [native, include].flatMap(sourceFiles);
  const facts = factsOf(toolkit, architectures);
  const hash = createHash("sha256").update(JSON.stringify([flags, facts]));
  for (const file of files) hash.update(`\0${basename(file)}\0`).update(readFileSync(file));
  return { architectures, root, flags, facts, inputs: hash.digest("hex") };
}

/** What the library says of itself, as a header: nvcc takes no quotes and commas on its command line. */
function factsOf(toolkit, { sass, ptx }) {
  const list = (numbers) => JSON.stringify(JSON.stringify(numbers.map(capabilityOf)).replaceAll(",", ", "));
  const facts = {
    HB_VERSION: JSON.stringify(halfbyte),
    HB_NVCC: JSON.stringify(toolkit.build),
    HB_SASS: list(sass),
    HB_PTX: list(ptx),
  };
  return Object.entries(facts)
    .map(([name, value]) => `#define ${name} ${value}\n`)
    .join("");
}

const sourceFiles = (parent) =>
  readdirSync(parent)
    .filter((name) => /\.(cu|cuh|cpp|h|map)$/.test(name))
    .sort()
    .map((name) => join(parent, name));

function flagsOf(architectures, host, root) {
  return [
    ...["-O3", "-std=c++17", "-shared", "--threads", "2", "-cudart", "static"],
    ...(host ? ["-ccbin", host] : []),
    // No contraction and no shortcuts: every operation rounds once.
    ...["-fmad=false", "-prec-div=true", "-prec-sqrt=true", "-ftz=false"],
    ...["-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall,-Wextra,-ffp-contract=off"],
    ...["-Xlinker", `--exclude-libs,ALL,-s,--no-undefined,--version-script=${join(native, "exports.map")}`],
    ...["-Xptxas", "-v,-warn-spills"],
    // g++ looks in its own folders first, which lie outside of the sysroot: hence the two -L.
    ...(root
      ? ["-Xcompiler", `--sysroot=${root}`, `-L${root}/usr/lib/x86_64-linux-gnu`, `-L${root}/lib/x86_64-linux-gnu`]
      : []),
    ...["-I", include, "-I", native],
    ...gencode(architectures),
  ];
}

/**
 * Machine code compressed too, which halves a library and more; the driver unpacks what it loads, one architecture. From 13 on every driver that runs
 * the library reads the denser form; before, there is one form for all drivers.
 */
const compressionOf = ({ version }) =>
  Number.parseInt(version, 10) >= 13 ? ["--compress-mode=size"] : ["-Xfatbin", "-compress-all"];

/** Beside its place first: a library that was not built or is not right leaves the one before it alone. */
function compile(toolkit, recipe, library, verbose) {
  console.log(`CUDA ${toolkit.version}: building with nvcc ${toolkit.build} (${toolkit.toldBy}) …`);
  const started = performance.now();
  mkdirSync(dirname(library), { recursive: true });
  const fresh = `${library}.${process.pid}`;
  const sources = sourceFiles(native).filter((file) => /\.(cu|cpp)$/.test(file));
  const facts = `${fresh}.h`;
  writeFileSync(facts, recipe.facts);
  const args = [...recipe.flags, "-include", facts, "-o", fresh, ...sources];
  const { status, stdout, stderr, error } = spawnSync(toolkit.nvcc, args, { encoding: "utf8", maxBuffer: 256 << 20 });
  rmSync(facts);
  const said = `${stdout ?? ""}${stderr ?? ""}`;
  const problems =
    status === 0 ? [...spillsIn(said), ...checked(fresh, recipe)] : [error?.message ?? withoutStatistics(said)];
  if (verbose) console.log(said);
  if (problems.length > 0) return refuse(toolkit, fresh, problems);
  renameSync(fresh, library);
  putEntry(dirname(library), entryOf(library, toolkit, recipe));
  recordKernels(library);
  console.log(`${describeLibrary(library)}; ${Math.round((performance.now() - started) / 100) / 10} s`);
  return true;
}

function refuse({ version }, fresh, problems) {
  console.error(`CUDA ${version}: the build failed.\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  if (existsSync(fresh)) rmSync(fresh);
  return false;
}

const statedBy = ({ architectures: { sass, ptx } }) => ({ sass: sass.map(capabilityOf), ptx: ptx.map(capabilityOf) });

const checked = (library, recipe) => problemsOf(library, statedBy(recipe), recipe.root ? oldestSystem : {});

/** Kernels that keep registers or arrays in memory. @param {string} said */
function spillsIn(said) {
  const stacks = [...said.matchAll(/(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/g)];
  const bad = stacks.filter(([, ...bytes]) => bytes.some((count) => count !== "0"));
  return [...new Set(bad.map(([line]) => `a kernel keeps values in memory: ${line}`))];
}

const withoutStatistics = (said) =>
  said
    .split("\n")
    .filter((line) => !/^ptxas info|^\s*\d+ bytes|^$/.test(line))
    .join("\n");

function entryOf(library, toolkit, recipe) {
  const elf = readFileSync(library);
  const abi = Number(/#define HB_ABI_VERSION (\d+)/.exec(readFileSync(join(include, "halfbyte.h"), "utf8"))[1]);
  return {
    ...{ file: basename(library), sha256: sha256(library), abi, backend: "cuda", runtime: "cuda" },
    ...{ version: toolkit.version, halfbyte, ...statedBy(recipe), linkage: "static" },
    ...{ platform: "linux", arch: "x64", libc: "glibc", glibc: glibcFloor(elf), needs: neededLibraries(elf) },
    ...{ compiler: `nvcc ${toolkit.build}`, sysroot: recipe.root !== undefined, inputs: recipe.inputs },
  };
}

process.exitCode = await main();
