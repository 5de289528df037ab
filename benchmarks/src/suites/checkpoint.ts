/** Suite checkpoint: `halfbyte quantize` of a synthetic bf16 model against `cp -r` and `sync`, in turn, three times. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromFloat32, halfbyteError, layoutSafetensors } from "@halfbyte/core";
import type { Measurement } from "../case.js";
import { halfbyteCommand } from "../halfbyte-command.js";
import { nanosecondsOf } from "../measure/clock.js";
import { median } from "../measure/statistics.js";
import { normalValues } from "../product.js";
import type { Spec } from "../spec.js";

const alternations = 3;

/** The case of a size; it says how much is written. */
export const checkpointCase = (gigabytes: number): string => `${gigabytes} GB`;

export async function measureCheckpoint(spec: Spec): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-bench-"));
  try {
    const source = join(folder, "model");
    writeModel(source, Number.parseFloat(spec.case) * 1e9);
    return await alternate(spec, source, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function alternate({ backend, threads, format }: Spec, source: string, folder: string): Promise<Measurement> {
  const target = join(folder, "out");
  const copies: number[] = [];
  const conversions: number[] = [];
  let tier = "";
  const quantize = ["quantize", source, "-o", target, "--format", format!, "--backend", backend, "--json"];
  for (let i = 0; i < alternations; i++) {
    copies.push(
      await fromWarmCache(source, target, () => {
        run("cp", ["-r", source, target]);
        run("sync", []);
      }),
    );
    conversions.push(
      await fromWarmCache(source, target, () => {
        const { stdout } = run(process.execPath, [halfbyteCommand(), ...quantize], {
          HALFBYTE_THREADS: String(threads),
        });
        tier = (JSON.parse(stdout) as { tier: string }).tier;
      }),
    );
  }
  return {
    ours: [{ memory: null, times: conversions }],
    floor: { kind: "cp", medianNs: median(copies) },
    otherFloors: [],
    peers: [],
    notMeasured: [],
    relativeError: null,
    accuracy: null,
    tier,
  };
}

/** With the source in the page cache, no writes of before on their way, and no target. */
async function fromWarmCache(source: string, target: string, work: () => void): Promise<number> {
  rmSync(target, { recursive: true, force: true });
  run("sync", []);
  for (const name of readdirSync(source)) readThrough(join(source, name));
  return nanosecondsOf(work);
}

function readThrough(path: string): void {
  const file = openSync(path, "r");
  const piece = new Uint8Array(2 ** 24);
  while (readSync(file, piece) > 0);
  closeSync(file);
}

/** Throws KERNEL_FAILED with what the program said. */
function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): { readonly stdout: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 28,
  });
  if (status === 0) return { stdout };
  throw halfbyteError(
    "KERNEL_FAILED",
    `${program} ${args[1] ?? ""} failed: ${error?.message ?? (stderr || stdout).trim()}`,
  );
}

/** Weights in the shapes of a language model until there are `bytes` of them. */
export function writeModel(folder: string, bytes: number): void {
  const tensors = tensorsOf(bytes);
  const { header, entries } = layoutSafetensors(tensors, { format: "pt" });
  const values = fromFloat32("bfloat16", normalValues(2 ** 22, 1, 0.02));
  const block = new Uint8Array(values.buffer);
  mkdirSync(folder, { recursive: true });
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, header);
  for (const { byteOffset, byteLength } of entries)
    for (let at = 0; at < byteLength; at += block.length)
      writeSync(file, block, 0, Math.min(block.length, byteLength - at), byteOffset + at);
  closeSync(file);
  writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "llama", torch_dtype: "bfloat16" }));
}

function tensorsOf(bytes: number) {
  const side = bytes < 1e8 ? 256 : 4096;
  const matrices = Math.max(1, Math.round(bytes / (2 * side * side)));
  return Array.from({ length: matrices }, (_, i) => ({
    name: `model.layers.${i}.mlp.up_proj.weight`,
    dtype: "BF16" as const,
    shape: [side, side],
  }));
}
