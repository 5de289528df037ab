/** Codes and absmax are the same bits on every tier and in the reference, whatever the format, the dtype and the profile. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Captured, capture, npmScript, root } from "../../../scripts/run.mjs";
import { whyNot } from "../src/wasm/engine.js";
import type { Digest } from "./codes-digest.js";
import { reasonToSkip } from "./conformance.js";

const minutes = 60_000;
const script = join(import.meta.dirname, "codes-digest.ts");
const node24 = [npmScript("npx"), "-y", "-p", "node@24", "node"];

let reference: Promise<Digest> | undefined;

const nativeIsas = process.arch === "arm64" ? (["neon", "scalar"] as const) : (["avx512", "avx2", "scalar"] as const);

it.for(nativeIsas)("%s", { timeout: 5 * minutes }, async (isa, { skip }) => {
  const reason = reasonToSkip(isa);
  if (reason) skip(reason);
  await expectIdentical(isa);
});

it("wasm", { timeout: 5 * minutes }, () => expectIdentical("wasm"));

it("wasm-relaxed", { timeout: 5 * minutes }, async ({ skip }) => {
  const needsNode24 = whyNot("wasm-relaxed") !== undefined;
  if (needsNode24 && (await capture([...node24, "--version"])).code !== 0) skip("Node 24 cannot be had from npm");
  await expectIdentical("wasm-relaxed", needsNode24 ? node24 : []);
});

async function expectIdentical(tier: string, node: readonly string[] = []): Promise<void> {
  reference ??= digestOf("reference");
  const [{ hashes, blocks, variants }, expected] = await Promise.all([digestOf(tier, node), reference]);
  expect(variants).toEqual({ quantize4bit: tier, quantizeBlockwise: tier });
  expect(blocks).toBeGreaterThanOrEqual(20_000);
  expect(hashes).toEqual(expected.hashes);
}

/** In a process of its own: the library looks at HALFBYTE_CPU_ISA when it is loaded. */
async function digestOf(tier: string, node: readonly string[] = []): Promise<Digest> {
  const args = [...node, "--import", "tsx", "--conditions=@halfbyte/source", script, tier];
  const env = { ...process.env, HALFBYTE_CPU_ISA: tier === "reference" ? "" : tier };
  const { code, stdout, stderr }: Captured = await capture(args, { cwd: root, env });
  expect({ tier, code, stderr: code === 0 ? "" : stderr }).toEqual({ tier, code: 0, stderr: "" });
  return JSON.parse(stdout);
}
