/**
 * `node scripts/build-wasm.mjs [--force]`: compiles the C++ kernels to build/wasm/halfbyte_cpu.wasm and, with relaxed SIMD,
 * build/wasm/halfbyte_cpu.relaxed.wasm, when they are missing or were made from other sources. Needs Node and the installed packages; no
 * compiler of the system.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compileAll, headersIn, jobOf, link, sha256 } from "./wasm-toolchain.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const native = join(folder, "native");
const include = join(folder, "..", "native", "include");
const output = join(folder, "build", "wasm");
const cache = join(output, "objects");
const manifestFile = join(output, "manifest.json");

const { version, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const compiler = devDependencies["@yowasp/clang"];

const target = ["--target=wasm32-wasip1", "-O3"];
const compile = [
  ...target,
  "-std=c++17",
  "-msimd128",
  // No contraction: every operation rounds once, unless a kernel fuses by name.
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fvisibility=hidden",
  // What happens at a throw: native/library.wasm.cpp.
  "-fignore-exceptions",
  "-Wall",
  "-Wextra",
  "-DHB_HAVE_WASM",
  `-DHB_VERSION="${version}"`,
];

/** Kernels alone may use relaxed instructions: compilers put them in for plain comparisons too. */
const variants = { "halfbyte_cpu.wasm": [], "halfbyte_cpu.relaxed.wasm": ["-mrelaxed-simd"] };

/** Files of other instruction sets, and those that have threads. */
const isNativeOnly = (name) =>
  /(\.|^)(avx2|avx512|neon|dotprod)[._]/.test(name) || ["queue.cpp", "pool.cpp"].includes(name);
const isKernel = (name) => /(\.|^)wasm[._]/.test(name) && !/^(library|sliced_queue)\./.test(name);

await main();

async function main() {
  const headers = headersIn([native, include]);
  const sources = readdirSync(native)
    .filter((name) => name.endsWith(".cpp") && !isNativeOnly(name))
    .sort();
  const key = sha256(
    [
      ...compile,
      compiler,
      ...sources.map((name) => readFileSync(join(native, name), "utf8")),
      ...Object.values(headers),
    ].join("\0"),
  );
  if (!process.argv.includes("--force") && isUpToDate(key)) return;
  const start = performance.now();
  console.log(`Building WebAssembly kernels with clang ${compiler} …`);
  const modules = await build(sources, headers);
  writeFileSync(manifestFile, `${JSON.stringify({ sources: key, compiler, modules }, null, 2)}\n`);
  console.log(`Built in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
}

/** @param {string} key */
function isUpToDate(key) {
  if (!existsSync(manifestFile)) return false;
  const { sources, modules } = JSON.parse(readFileSync(manifestFile, "utf8"));
  const isWhole = ([name, hash]) => existsSync(join(output, name)) && sha256(readFileSync(join(output, name))) === hash;
  return sources === key && Object.entries(modules).every(isWhole);
}

/** Both modules; their hashes by name. @param {readonly string[]} sources @param {Record<string, string>} headers */
async function build(sources, headers) {
  mkdirSync(cache, { recursive: true });
  const jobs = Object.entries(variants).map(([name, flags]) => ({
    name,
    jobs: sources.map((source) => {
      const own = isKernel(source) ? flags : [];
      return jobOf(join(native, source), [...compile, ...own], headers, cache, compiler);
    }),
  }));
  const wanted = new Set(
    await compileAll(
      jobs.flatMap(({ jobs }) => jobs),
      headers,
    ),
  );
  for (const name of readdirSync(cache)) if (!wanted.has(join(cache, name))) rmSync(join(cache, name));
  const hashes = {};
  for (const { name, jobs: own } of jobs) {
    const module = await link(
      own.map(({ object }) => object),
      linkFlags(),
    );
    writeFileSync(join(output, name), module);
    hashes[name] = sha256(module);
  }
  return hashes;
}

function linkFlags() {
  const api = ["halfbyte.h", "halfbyte_wasm.h"].flatMap((name) => [
    ...readFileSync(join(include, name), "utf8").matchAll(/^HB_API [^(]*?(hb_\w+)\(/gm),
  ]);
  // The stack pointer, so that a caller can set it back after a trap.
  const exported = [...api.map(([, name]) => name), "__stack_pointer"].map((name) => `-Wl,--export=${name}`);
  return [
    ...target,
    "-mexec-model=reactor",
    "-Wl,-z,stack-size=1048576",
    "-Wl,--max-memory=4294967296",
    "-Wl,--strip-all",
    ...exported,
  ];
}
