/**
 * `node scripts/build-native.mjs [--force] [--target aarch64]`: builds build/libhalfbyte_cpu.* and its manifest with CMake when it is
 * missing or older than its sources. Plain Node: runs before anything is installed. Without CMake or a C++ compiler it says so and succeeds,
 * because the package works without the library; a build that fails is a failure. With a target it cross-compiles into build/<target>, and
 * a missing compiler, or QEMU to ask the result who it is, is a failure too.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hasManifest, writeManifest } from "./write-manifest.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
/** What can be built on another machine. */
const targets = {
  aarch64: {
    compiler: "aarch64-linux-gnu-g++",
    toolchain: "aarch64-linux.cmake",
    machine: { platform: "linux", arch: "arm64" },
    emulator: ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
  },
};

const { force, target } = optionsOf(process.argv.slice(2));
const buildFolder = join(folder, "build", target ?? "");
const cmakeFolder = join(buildFolder, "cmake");
const extension = (target ? undefined : { win32: "dll", darwin: "dylib" }[process.platform]) ?? "so";
const library = join(buildFolder, `libhalfbyte_cpu.${extension}`);

process.exitCode = main();

function optionsOf(args) {
  const { values } = parseArgs({ args, options: { force: { type: "boolean" }, target: { type: "string" } } });
  if (values.target === undefined || Object.hasOwn(targets, values.target)) return values;
  console.error(`Unknown target "${values.target}"; known: ${Object.keys(targets).join(", ")}.`);
  process.exit(1);
}

/** The exit code. */
function main() {
  const skip = target ? undefined : reasonToSkip();
  if (skip) return say(`${skip}; native CPU kernels are not built.`, 0);
  if (!force && isUpToDate()) return 0;
  const missing = target ? 1 : 0;
  const cmake = findProgram(["cmake"]);
  if (!cmake) return say("No CMake found (cmake.org, 3.19 or newer); native CPU kernels are not built.", missing);
  const compiler = findCompiler();
  if (compiler === undefined && process.env["CXX"])
    return say(`CXX names ${process.env["CXX"]}, which does not run.`, 1);
  if (compiler === undefined && target)
    return say(`No ${targets[target].compiler} found (Debian: apt-get install g++-aarch64-linux-gnu).`, missing);
  if (compiler === undefined && process.platform !== "win32")
    return say("No C++ compiler found (CXX, clang++ 19, g++); native CPU kernels are not built.", missing);
  return build(cmake, compiler);
}

function say(message, code) {
  console.log(message);
  return code;
}

function reasonToSkip() {
  const name = ["HALFBYTE_SKIP_NATIVE", "BNB_SKIP_CMAKE"].find((variable) => isSet(process.env[variable]));
  return name && `${name} is set`;
}

function isSet(value) {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}

/** Newer than everything it is made of, and what its manifest says. */
function isUpToDate() {
  const built = changedAt(library);
  return built > 0 && sources().every((file) => changedAt(file) < built) && hasManifest(library);
}

function sources() {
  return [
    join(folder, "CMakeLists.txt"),
    join(folder, "package.json"),
    ...filesOf(join(folder, "cmake")),
    ...filesOf(join(folder, "native")),
    ...filesOf(join(folder, "..", "native", "include")),
  ];
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.name !== "test")
    .flatMap((entry) => (entry.isDirectory() ? filesOf(join(path, entry.name)) : [join(path, entry.name)]));
}

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** CXX alone when it is given; else the newest clang from 19 on, then what the system calls its compiler. Visual C++ is CMake's to find. */
function findCompiler() {
  const given = process.env["CXX"];
  if (given) return findProgram([given]);
  if (target) return findProgram([targets[target].compiler]);
  const clangs = [22, 21, 20, 19].map((version) => `clang++-${version}`);
  return findProgram([...clangs, "g++", "clang++"]);
}

/** The first name that runs. */
function findProgram(names) {
  return names.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
}

function build(cmake, compiler) {
  const started = new Date();
  if (changesCompiler(compiler)) rmSync(cmakeFolder, { recursive: true, force: true });
  const wanted = target ? ` for ${target}` : "";
  console.log(`Building native CPU kernels${wanted} with ${compiler ?? "the system's compiler"} …`);
  const generator = findProgram(["ninja"]) && !existsSync(join(cmakeFolder, "CMakeCache.txt")) ? ["-G", "Ninja"] : [];
  const options = [`-DHB_OUTPUT=${buildFolder}`];
  if (compiler) options.push(`-DCMAKE_CXX_COMPILER=${compiler}`);
  if (target) options.push(`-DCMAKE_TOOLCHAIN_FILE=${join(folder, "cmake", targets[target].toolchain)}`);
  const configure = ["-S", folder, "-B", cmakeFolder, "-DCMAKE_BUILD_TYPE=Release", ...generator, ...options];
  for (const args of [configure, ["--build", cmakeFolder, "--config", "Release", "--parallel"]]) {
    const { status, stdout, stderr } = spawnSync(cmake, args, { encoding: "utf8", maxBuffer: 64 << 20 });
    if (status !== 0) return say(`${stdout}${stderr}\ncmake ${args.join(" ")} failed; the reason stands above.`, 1);
  }
  // As new as what it was made from, even if CMake found nothing to link again.
  utimesSync(library, started, started);
  writeManifest(library, targets[target]?.machine ?? process, buildInfo());
  return 0;
}

/** What the library says of itself. */
function buildInfo() {
  const [program, ...args] = [...(targets[target]?.emulator ?? []), join(cmakeFolder, "print_build_info")];
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${[program, ...args].join(" ")} failed: ${error?.message ?? stderr}`);
  return JSON.parse(stdout);
}

/** CMake keeps to the compiler of its cache. */
function changesCompiler(compiler) {
  const cache = join(cmakeFolder, "CMakeCache.txt");
  if (!compiler || !existsSync(cache)) return false;
  const known = /^CMAKE_CXX_COMPILER:[^=]*=(.*)$/m.exec(readFileSync(cache, "utf8"))?.[1];
  return known === undefined || !(known === compiler || known.endsWith(`/${compiler}`));
}
