// The main job, end to end: bitsandbytes checkpoints from plain JavaScript. `npm run demo` shows it on the golden models and on
// a synthetic one; `npm run demo -- <folder>` on yours.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  bytesSource,
  compareCheckpoints,
  memoryRepository,
  memorySink,
  openBackend,
  openCheckpoint,
  openSafetensors,
  quantizeCheckpoint,
  reference,
  writeSafetensors,
} from "@halfbyte/core";
import { folderRepository } from "@halfbyte/core/node";
import { node } from "./run.mjs";
import { writeSyntheticModel } from "./synthetic-model.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = join(root, ".demo");
const cli = join(root, "packages/cli/bin/halfbyte.js");

async function main([folder]) {
  mkdirSync(work, { recursive: true });
  if (folder) return quantizeFolder(resolve(process.env.INIT_CWD ?? process.cwd(), folder));
  await goldenModels();
  await syntheticModel();
}

/** Four tiny models that Python bitsandbytes quantized: our files must equal its files, byte for byte. */
async function goldenModels() {
  console.log("1. Tiny models quantized by Python bitsandbytes 0.50, and by halfbyte:\n");
  const backend = await openBackend([reference()]);
  let allIdentical = true;
  for (const name of ["tiny_nf4_dq_bf16", "tiny_fp4_fp16", "tiny_int8_fp16", "tiny_int8_bf16"]) {
    const { quantization_config: config } = JSON.parse(readFileSync(golden(`${name}.config.json`), "utf8"));
    const options = config.load_in_8bit
      ? { format: "int8", threshold: config.llm_int8_threshold }
      : {
          format: config.bnb_4bit_quant_type,
          nested: config.bnb_4bit_use_double_quant,
          computeDtype: config.bnb_4bit_compute_dtype,
        };
    const sink = memorySink();
    await quantizeCheckpoint(await originalOf(name), sink, { ...options, profile: "cpu", backend });
    const ours = sink.files.get("model.safetensors");
    const identical = Buffer.compare(ours, readFileSync(golden(`${name}.safetensors`))) === 0;
    allIdentical &&= identical;
    console.log(
      `   ${name.padEnd(18)} ${String(ours.length).padStart(6)} bytes   ${identical ? "identical" : "DIFFERENT"}`,
    );
  }
  await backend.dispose();
  if (!allIdentical) process.exitCode = 1;
}

const golden = (file) => join(root, "golden/checkpoints", file);

async function originalOf(name) {
  const stored = await openSafetensors(bytesSource(readFileSync(golden(`${name}_io.safetensors`))));
  const originals = [...stored.entries.values()].filter((entry) => entry.name.startsWith("original."));
  const tensors = await Promise.all(
    originals.map(async ({ name: key, dtype, shape }) => ({
      name: key.slice("original.".length),
      dtype,
      shape,
      bytes: await stored.read(key),
    })),
  );
  return memoryRepository({ "model.safetensors": writeSafetensors(tensors, { format: "pt" }) });
}

async function syntheticModel() {
  const folder = join(work, "synthetic-30m");
  console.log(
    "\n2. A synthetic model shaped like SmolLM2 (30 M parameters, bf16). Its weights are seeded random numbers, not a trained model.\n",
  );
  if (!existsSync(join(folder, "config.json"))) writeSyntheticModel(folder);
  await quantizeFolder(folder);
}

/** Quantizes with the command line, reloads both checkpoints from disk and compares them. */
async function quantizeFolder(folder) {
  const output = join(work, `${basename(folder)}-nf4`);
  const report = join(work, `${basename(folder)}-nf4.json`);
  const start = performance.now();
  const code = await node(
    [cli, "quantize", folder, "-o", output, "--format", "nf4", "--double-quant", "--report", report, "--force"],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  if (code !== 0) throw new Error("halfbyte quantize failed; the reason stands above.");
  const { bytesIn, bytesOut, backend } = JSON.parse(readFileSync(report, "utf8"));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `   halfbyte quantize: ${(bytesIn / 1e6).toFixed(1)} MB -> ${(bytesOut / 1e6).toFixed(1)} MB in ${seconds} s on backend ${backend}`,
  );
  printErrors(await comparisons(folder, output));
  console.log(`\n   The checkpoint is in ${output}, laid out as transformers and bitsandbytes lay theirs out.`);
}

async function comparisons(original, quantized) {
  const [a, b] = await Promise.all(
    [original, quantized].map(async (folder) => openCheckpoint(await folderRepository(folder))),
  );
  const rows = [];
  for await (const row of compareCheckpoints(a, b)) rows.push(row);
  await Promise.all([a.close(), b.close()]);
  return rows;
}

/** One line per kind of layer. */
function printErrors(rows) {
  const kinds = groupBy(rows.filter(({ error }) => error));
  console.log(
    `\n   reloaded: ${rows.filter(({ status }) => status === "identical").length} tensors identical, ${rows.filter(({ error }) => error).length} quantized\n`,
  );
  console.log("   layer          weights   max abs      RMSE    SQNR dB    cosine");
  for (const [kind, group] of kinds) {
    const mean = (field) => group.reduce((sum, { error }) => sum + error[field], 0) / group.length;
    const maxAbs = Math.max(...group.map(({ error }) => error.maxAbs));
    console.log(
      `   ${kind.padEnd(14)} ${String(group.length).padStart(7)}   ${maxAbs.toExponential(2)}  ${mean("rmse").toExponential(2)}   ${mean("sqnrDb").toFixed(2).padStart(6)}  ${mean("cosine").toFixed(6)}`,
    );
  }
}

const kindOf = ({ name }) => name.split(".").at(-2);

function groupBy(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(kindOf(row), [...(groups.get(kindOf(row)) ?? []), row]);
  return groups;
}

await main(process.argv.slice(2));
