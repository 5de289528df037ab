/** The specification of a backend, run on the build with relaxed SIMD; where this engine has none, in the Node 24 of the npm registry. */
import { join } from "node:path";
import { describeBackend } from "@halfbyte/conformance";
import { expect, test } from "vitest";
import { capture, npmScript, root } from "../../../scripts/run.mjs";
import { cpu } from "../src/index.js";
import { whyNot } from "../src/wasm/engine.js";
import { forgetSelfTests } from "./conformance.js";

const missing = whyNot("wasm-relaxed");
const minutes = 60_000;

if (missing === undefined) {
  forgetSelfTests();
  process.env["HALFBYTE_CPU_ISA"] = "wasm-relaxed";
  describeBackend(cpu({ tier: "wasm" }), { tier: "wasm-relaxed" });
} else {
  test("conforms in Node 24", { timeout: 12 * minutes }, async ({ skip }) => {
    const node24 = [npmScript("npx"), "-y", "-p", "node@24", "node"];
    const { code, stderr } = await capture([...node24, "--version"], { timeoutMs: 4 * minutes });
    if (code !== 0) skip(`${missing} Node 24 cannot be had from npm: ${stderr.trim()}`);
    const vitest = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", import.meta.filename];
    const found = await capture([...node24, ...vitest], { env: plainEnvironment(), timeoutMs: 8 * minutes });
    expect(found, found.stdout + found.stderr).toMatchObject({ code: 0 });
    expect(found.stdout).toMatch(/Tests .*\d{3} passed/);
  });
}

/** What vitest has put there is for this run alone. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^VITEST|^HALFBYTE_TEST|^NODE_OPTIONS$/.test(name));
  return { ...Object.fromEntries(own), NO_COLOR: "1" };
}
