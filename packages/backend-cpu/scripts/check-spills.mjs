/**
 * `node scripts/check-spills.mjs`: compiles the x86 kernels with each compiler of this machine and looks at their object code: no hot loop
 * may move more vector registers to the stack than spill-budgets.mjs allows. Where something is missing it says so and succeeds.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { beyondBudget } from "./spill-budgets.mjs";
import { stackTraffic } from "./stack-traffic.mjs";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const compilers = { clang: "clang++-19", gcc: "g++" };

const missing = reasonToSkip();
if (missing) console.log(`${missing}; the object code is not checked.`);
else for (const [kind, program] of Object.entries(compilers)) check(kind, program);

function reasonToSkip() {
  if (process.platform !== "linux" || process.arch !== "x64") return "This is not Linux on x86-64";
  const absent = ["cmake", "objdump"].find((name) => !runs(name));
  if (absent) return `No ${absent} found`;
  return Object.values(compilers).some(runs) ? undefined : `No ${Object.values(compilers).join(" or ")} found`;
}

function runs(program) {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}

function check(kind, program) {
  if (!runs(program)) return console.log(`No ${program} found; its object code is not checked.`);
  const objects = compile(program);
  const files = readdirSync(objects).filter((name) => /\.(avx2|avx512)\.cpp\.o$/.test(name));
  if (files.length === 0) throw new Error(`${program} compiled no x86 kernel.`);
  const problems = files.flatMap((name) =>
    beyondBudget(kind, name.replace(".cpp.o", ""), trafficOf(join(objects, name))),
  );
  console.log(
    `${program}: ${files.length} files, ${problems.length === 0 ? "within their budgets" : "too much stack traffic"}`,
  );
  for (const problem of problems) console.error(`  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

/** The folder of the objects. */
function compile(program) {
  const build = join(folder, "build", `objects-${program}`);
  run("cmake", [
    "-S",
    folder,
    "-B",
    build,
    "-DCMAKE_BUILD_TYPE=Release",
    `-DCMAKE_CXX_COMPILER=${program}`,
    `-DHB_OUTPUT=${build}`,
  ]);
  run("cmake", ["--build", build, "--target", "objects", "--parallel"]);
  return join(build, "CMakeFiles", "objects.dir", "native");
}

function trafficOf(object) {
  return stackTraffic(run("objdump", ["-d", "--no-show-raw-insn", "-C", object]));
}

function run(program, args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 256 << 20 });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}
