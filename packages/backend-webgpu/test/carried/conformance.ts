/**
 * `node conformance.mjs [--tier t0|full] [--json FILE]`: the conformance suite of a backend on this machine's WebGPU adapter, and what the self-test made of
 * every variant. Bundled by scripts/carry-webgpu.mjs for machines without anything installed. Exit code 1: a case failed; 2: it could not run.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeBackend } from "@halfbyte/conformance";
import { messageOf, openBackend } from "@halfbyte/core";
import { judge } from "../../../../test/carried/judge.js";
import { type VariantReport, variantsOf, webgpu } from "../../src/index.js";

const { values } = parseArgs({
  options: { tier: { type: "string", default: "full" }, json: { type: "string" } },
});

process.exitCode = await main(values.tier === "t0" ? "t0" : "full", values.json).catch((error: unknown) => {
  console.error(messageOf(error));
  return 2;
});

async function main(tier: "t0" | "full", json: string | undefined): Promise<number> {
  const opened = await look(tier);
  describeBackend(webgpu({ tier }), { tier: opened.tier });
  const judgement = await judge(`${opened.adapter} (${opened.tier})`);
  if (json !== undefined) writeFileSync(json, JSON.stringify({ ...opened, ...judgement }));
  return judgement.failed > 0 ? 1 : 0;
}

/** The adapter, and every variant with its verdict and time. */
async function look(tier: "t0" | "full") {
  const { versions } = await webgpu().detect();
  await using backend = await openBackend([webgpu({ tier })], { order: ["webgpu"], allowSoftwareGpu: true });
  if (backend.report.chosen !== "webgpu") throw new Error(JSON.stringify(backend.report.skipped));
  const variants = variantsOf(backend);
  for (const variant of variants) console.log(sayVariant(variant));
  return { adapter: versions["adapter"], tier: backend.tier, selfTest: backend.report.selfTest, variants };
}

function sayVariant({ op, kernel, variant, verdict, reason, ns }: VariantReport): string {
  const time = ns === undefined ? "" : `${(ns / 1000).toFixed(1)} us`;
  return [op, kernel, variant, verdict, time, reason?.message ?? ""].join("  ");
}
