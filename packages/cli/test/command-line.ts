/** Runs the command line from its sources in a process of its own, and prepares folders for it. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  bytesSource,
  createRandom,
  fromFloat32,
  openSafetensors,
  type StoredDType,
  writeSafetensors,
} from "@halfbyte/core";
import { onTestFinished } from "vitest";

export const root = resolve(import.meta.dirname, "../../..");
const main = join(root, "packages/cli/src/main.ts");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sends this signal when stderr first shows progress. */
  readonly interrupt?: NodeJS.Signals;
}

/** The command in a process of its own; `halfbyte()` waits for its end. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcessWithoutNullStreams {
  const env: NodeJS.ProcessEnv = { ...process.env, INIT_CWD: undefined, ...options.env };
  return spawn(process.execPath, ["--conditions=@halfbyte/source", "--import", "tsx", main, ...args], {
    cwd: options.cwd ?? root,
    env,
  });
}

export function halfbyte(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = start(args, options);
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => (texts.stdout += String(text)));
  child.stderr.on("data", (text) => {
    texts.stderr += String(text);
    // Once: a second interrupt ends the process at once, as users expect.
    if (options.interrupt && !child.killed && texts.stderr.includes("quantizing to")) child.kill(options.interrupt);
  });
  return new Promise((done) => child.on("close", (code) => done({ code, ...texts })));
}

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `original.*` of a golden checkpoint as a file. */
export async function writeOriginal(io: Uint8Array, path: string): Promise<void> {
  const stored = await openSafetensors(bytesSource(io));
  const names = [...stored.entries.keys()].filter((name) => name.startsWith("original."));
  const tensors = await Promise.all(
    names.map(async (name) => ({
      ...stored.entry(name),
      name: name.slice("original.".length),
      bytes: await stored.read(name),
    })),
  );
  writeFileSync(path, writeSafetensors(tensors, { format: "pt" }));
}

/** A one-layer model with seeded weights. */
export function writeModel(folder: string, rows = 64, columns = 128, layers = 1): void {
  const random = createRandom(rows);
  const bytes = (shape: readonly number[]) =>
    new Uint8Array(
      fromFloat32(
        "bfloat16",
        Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal()),
      ).buffer as ArrayBuffer,
    );
  const tensor = (name: string, shape: readonly number[]) => ({
    name,
    dtype: "BF16" as StoredDType,
    shape,
    bytes: bytes(shape),
  });
  const projections = Array.from({ length: layers }, (_, i) =>
    tensor(`model.layers.${i}.mlp.up_proj.weight`, [rows, columns]),
  );
  writeFileSync(
    join(folder, "model.safetensors"),
    writeSafetensors([...projections, tensor("model.embed_tokens.weight", [8, columns])], { format: "pt" }),
  );
  writeFileSync(join(folder, "config.json"), '{\n  "model_type": "llama",\n  "rope_theta": 10000.0\n}\n');
}
