/**
 * `node scripts/setup.mjs [bench|bench:browser|demo|test|test:long] [arguments…]`: everything a fresh clone needs, then the command.
 * Needs Node and the npm registry; pnpm comes through npx and nothing is installed globally.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { node, root } from "./run.mjs";
import { readSummary, summaryLine } from "./summary.mjs";
import { ensureBuilt, ensureInstalled } from "./workspace.mjs";

const commands = {
  bench: (args) => bench("main.ts", args),
  "bench:browser": (args) => bench("browser/main.ts", args),
  demo: (args) => node([join(root, "scripts", "demo.mjs"), ...args]),
  test: (args) => test("vitest.config.ts", args),
  "test:long": (args) => test("vitest.long.config.ts", args),
};

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

async function main([name, ...args]) {
  const command = name === undefined ? async () => 0 : commands[name];
  if (!command) throw new Error(`Unknown command "${name}"; known: ${Object.keys(commands).join(", ")}.`);
  requireNode(20, 19);
  await ensureInstalled();
  await ensureBuilt();
  await buildWasm();
  await buildNative(name);
  return command(args);
}

/** Needs no compiler of the system, so it always works or is broken. */
async function buildWasm() {
  const code = await node([join(root, "packages", "backend-cpu", "scripts", "build-wasm.mjs")]);
  if (code !== 0) throw new Error("The WebAssembly build failed; the reason stands above.");
}

/** Measures the packages as they are built, not their sources. */
async function bench(program, args) {
  return node(["--import", "tsx", join(root, "benchmarks", "src", program), ...args]);
}

/** Optional: without a compiler it says so and succeeds. A build that breaks fails the tests, but not the demo, which does without. */
async function buildNative(name) {
  const scripts = [
    join("packages", "backend-cpu", "scripts", "build-native.mjs"),
    join("benchmarks", "scripts", "build-floors.mjs"),
    // Minutes, with several toolkits; nothing but the tests needs them here.
    ...(name?.startsWith("test") ? [join("packages", "backend-cuda", "scripts", "build-cuda.mjs")] : []),
  ];
  const codes = [];
  for (const script of scripts) codes.push(await node([join(root, script)]));
  if (codes.every((code) => code === 0)) return;
  if (name?.startsWith("test")) throw new Error("The native build failed; HALFBYTE_SKIP_NATIVE=1 goes on without it.");
  console.error("The native build failed; going on without it.");
}

function requireNode(major, minor) {
  const [ourMajor, ourMinor] = process.versions.node.split(".").map(Number);
  if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return;
  throw new Error(
    `halfbyte needs Node ${major}.${minor} or newer; this is ${process.version}. Get it from https://nodejs.org.`,
  );
}

/** Runs vitest and ends with the summary line. A caller that names HALFBYTE_TEST_SUMMARY gets the counts there and prints its own. */
async function test(config, args) {
  const given = process.env["HALFBYTE_TEST_SUMMARY"];
  const scratch = mkdtempSync(join(tmpdir(), "halfbyte-summary-"));
  const summary = given ?? join(scratch, "summary.json");
  try {
    const code = await node(vitest(config, args), { env: { ...process.env, HALFBYTE_TEST_SUMMARY: summary } });
    const counts = readSummary(summary, code);
    if (!given) console.log(summaryLine(counts));
    return counts.failed > 0 ? 1 : code;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function vitest(config, args) {
  return [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--config",
    config,
    "--reporter=default",
    "--reporter=./scripts/summary-reporter.mjs",
    ...args,
  ];
}
