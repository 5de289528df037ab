// Figures of the checkpoint path beside their targets: `pnpm measure:checkpoint [--gb 2]`. Opening a header of 100 000 tensors, and the
// peak memory of quantizing a large checkpoint with the command line. Medians of three; nothing here fails, it prints.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, createRandom, fromFloat32, layoutSafetensors, openSafetensors } from "@halfbyte/core";
import { root } from "./run.mjs";

const option = process.argv.indexOf("--gb");
const gigabytes = option < 0 ? 2 : Number(process.argv[option + 1]);
const folder = mkdtempSync(join(tmpdir(), "halfbyte-measure-"));
async function openManyTensors() {
  const tensors = Array.from({ length: 100_000 }, (_, i) => ({
    name: `model.layers.${i}.mlp.experts.gate_proj.weight`,
    dtype: "BF16",
    shape: [1, 1],
  }));
  const { header, byteLength } = layoutSafetensors(tensors, { format: "pt" });
  const file = new Uint8Array(byteLength);
  file.set(header);
  const times = [];
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    await openSafetensors(bytesSource(file));
    times.push(performance.now() - start);
  }
  console.log(
    `open a header of 100 000 tensors (${(header.length / 1e6).toFixed(1)} MB): ${median(times).toFixed(0)} ms   target < 1000 ms`,
  );
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

/** Llama-like shapes until the size is reached; the largest weight is 4096 × 14336. */
function quantizeLarge() {
  const layer = (i) => [
    [`model.layers.${i}.mlp.down_proj.weight`, [4096, 14336]],
    [`model.layers.${i}.mlp.up_proj.weight`, [14336, 4096]],
    [`model.layers.${i}.self_attn.q_proj.weight`, [4096, 4096]],
  ];
  const layers = Math.max(1, Math.round((gigabytes * 1e9) / (2 * (2 * 4096 * 14336 + 4096 * 4096))));
  const tensors = Array.from({ length: layers }, (_, i) => layer(i))
    .flat()
    .map(([name, shape]) => ({ name, dtype: "BF16", shape }));
  const input = join(folder, "model.safetensors");
  const byteLength = writeLarge(input, tensors);
  for (const format of [
    ["--format", "nf4", "--double-quant"],
    ["--format", "int8"],
  ]) {
    const { maxRss, seconds } = runCli([
      "quantize",
      input,
      "-o",
      join(folder, `out-${format[1]}`),
      ...format,
      "--json",
    ]);
    const target = (2 * 4096 * 14336 * 3) / 1e6 + 200;
    console.log(
      `quantize ${(byteLength / 1e9).toFixed(2)} GB to ${format[1]}: ${seconds.toFixed(1)} s, peak RSS ${maxRss.toFixed(0)} MB   target < ${target.toFixed(0)} MB (largest tensor × 3 + 200)`,
    );
  }
}

function writeLarge(path, tensors) {
  const { header, entries, byteLength } = layoutSafetensors(tensors, { format: "pt" });
  const random = createRandom(1);
  const block = new Uint8Array(
    fromFloat32(
      "bfloat16",
      Float32Array.from({ length: 4096 * 256 }, () => 0.02 * random.normal()),
    ).buffer,
  );
  const file = openSync(path, "w");
  writeSync(file, header);
  for (const entry of entries)
    for (let at = 0; at < entry.byteLength; at += block.length)
      writeSync(file, block, 0, Math.min(block.length, entry.byteLength - at), entry.byteOffset + at);
  closeSync(file);
  return byteLength;
}

/** Runs the command line and asks the operating system for its peak memory. */
function runCli(args) {
  const hook = join(folder, "peak.mjs");
  const figure = join(folder, "peak.json");
  writeFileSync(
    hook,
    `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(${JSON.stringify(figure)}, String(process.resourceUsage().maxRSS)));`,
  );
  const start = performance.now();
  execFileSync(process.execPath, ["--import", hook, join(root, "packages/cli/bin/halfbyte.js"), ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const maxRss = Number(readFileSync(figure, "utf8")) / 1000;
  return { maxRss, seconds: (performance.now() - start) / 1000 };
}

try {
  await openManyTensors();
  quantizeLarge();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
