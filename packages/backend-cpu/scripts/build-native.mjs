/**
 * `node scripts/build-native.mjs [--force] [--target aarch64]`: builds build/libhalfbyte_cpu.* and its manifest with CMake when it is
 * missing or older than its sources. Plain Node: runs before anything is installed. Without CMake or a C++ compiler it says so and succeeds,
 * because the package works without the library; a build that fails is a failure. With a target it cross-compiles into build/<target>, and
 * a missing compiler, or QEMU to ask the result who it is, is a failure too.
 */
import { spawnSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildWithCMake, findCompiler, findProgram, isNewerThan, reasonToSkip } from "../../../scripts/cmake.mjs";
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
  const compiler = findCompiler(target && [targets[target].compiler]);
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

/** Newer than everything it is made of, and what its manifest says. */
function isUpToDate() {
  return isNewerThan(library, sources()) && hasManifest(library);
}

function sources() {
  const own = ["CMakeLists.txt", "package.json", "cmake", "native"].map((name) => join(folder, name));
  return [...own, join(folder, "..", "native", "include")];
}

function build(cmake, compiler) {
  const wanted = target ? ` for ${target}` : "";
  console.log(`Building native CPU kernels${wanted} with ${compiler ?? "the system's compiler"} …`);
  const options = [`-DHB_OUTPUT=${buildFolder}`];
  if (target) options.push(`-DCMAKE_TOOLCHAIN_FILE=${join(folder, "cmake", targets[target].toolchain)}`);
  const failure = buildWithCMake({ cmake, compiler, source: folder, cmakeFolder, library, options });
  if (failure !== undefined) return say(failure, 1);
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
