/** What a folder holds, at any depth: side-cars with their cases, and checkpoints with their inputs and results. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { halfbyteError } from "@halfbyte/core";
import { parseSideCar, type SideCar } from "./side-car.js";

export interface VectorFile {
  /** Path below the folder without its suffix, with slashes: `4bit/gemm`. */
  readonly name: string;
  readonly tensorsPath: string;
  readonly sideCar: SideCar;
}

export interface CheckpointFiles {
  readonly name: string;
  readonly config: string;
  /** What Python wrote. */
  readonly weights: string;
  /** Originals, decoded weights, logits. */
  readonly io: string;
}

export interface Vectors {
  readonly files: readonly VectorFile[];
  readonly checkpoints: readonly CheckpointFiles[];
}

/** Rejects with VECTORS_NOT_FOUND when there is neither a case nor a checkpoint. */
export async function findVectors(folder: string): Promise<Vectors> {
  const paths = await jsonFilesBelow(folder);
  const checkpoints = paths.flatMap((path) => checkpointOf(folder, path));
  const files = (await Promise.all(paths.map((path) => vectorFileOf(folder, path)))).flat();
  if (files.length + checkpoints.length > 0) return { files, checkpoints };
  throw halfbyteError("VECTORS_NOT_FOUND", `${folder} holds no golden vectors.`, { details: { folder } });
}

async function jsonFilesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw halfbyteError("VECTORS_NOT_FOUND", `${folder} cannot be read.`, { details: { folder }, cause });
  });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !isForeign(entry.name)) found.push(...(await jsonFilesBelow(path)));
    else if (entry.name.endsWith(".json")) found.push(path);
  }
  return found;
}

const isForeign = (folder: string): boolean => folder === "node_modules" || folder.startsWith(".");

async function vectorFileOf(folder: string, path: string): Promise<VectorFile[]> {
  const text = await readFile(path, "utf8");
  if (!text.includes('"golden_format"')) return [];
  const name = nameOf(folder, path, ".json");
  const sideCar = parseSideCar(text, `${name}.json`);
  return sideCar ? [{ name, sideCar, tensorsPath: join(dirname(path), basename(sideCar.tensors)) }] : [];
}

function checkpointOf(folder: string, path: string): CheckpointFiles[] {
  const suffix = ".config.json";
  if (!path.endsWith(suffix)) return [];
  const stem = path.slice(0, -suffix.length);
  const [weights, io] = [`${stem}.safetensors`, `${stem}_io.safetensors`];
  // Half a checkpoint is a broken one; a config.json alone is somebody else's file.
  if (!existsSync(weights) && !existsSync(io)) return [];
  return [{ name: nameOf(folder, path, suffix), config: path, weights, io }];
}

const nameOf = (folder: string, path: string, suffix: string): string =>
  relative(folder, path).slice(0, -suffix.length).split(sep).join("/");

/** The repository's golden folder: the nearest one above `from`. */
export function goldenFolderAbove(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const golden = join(folder, "golden");
    if (existsSync(join(golden, "generate.py"))) return golden;
    if (folder === dirname(folder)) throw noGoldenFolder(from);
  }
}

const noGoldenFolder = (from: string) =>
  halfbyteError("VECTORS_NOT_FOUND", `There is no golden folder above ${from}.`, {
    details: { folder: from },
    remedy: "The published package carries no vectors: use a clone of the halfbyte repository.",
  });
