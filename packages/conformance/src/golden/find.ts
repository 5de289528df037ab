/** What golden files hold: side-cars with their cases, and checkpoints with their inputs and results. */
import { halfbyteError } from "@halfbyte/core";
import { parseSideCar, type SideCar } from "./side-car.js";
import { baseName, folderName, type VectorFiles } from "./vector-files.js";

export interface VectorFile {
  /** Its path without the suffix: `4bit/gemm`. */
  readonly name: string;
  /** Path of the file with the tensors. */
  readonly tensors: string;
  readonly sideCar: SideCar;
}

/** Paths of its three files. */
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
export async function findVectors(source: VectorFiles): Promise<Vectors> {
  const paths = await source.list();
  const json = paths.filter((path) => path.endsWith(".json"));
  const checkpoints = json.flatMap((path) => checkpointOf(path, new Set(paths)));
  const files = (await Promise.all(json.map((path) => vectorFileOf(source, path)))).flat();
  if (files.length + checkpoints.length > 0) return { files, checkpoints };
  throw halfbyteError("VECTORS_NOT_FOUND", `There are no golden vectors among ${paths.length} files.`);
}

async function vectorFileOf(source: VectorFiles, path: string): Promise<VectorFile[]> {
  const text = new TextDecoder().decode(await source.read(path));
  if (!text.includes('"golden_format"')) return [];
  const sideCar = parseSideCar(text, path);
  if (!sideCar) return [];
  return [
    { name: path.slice(0, -".json".length), sideCar, tensors: `${folderName(path)}${baseName(sideCar.tensors)}` },
  ];
}

function checkpointOf(path: string, paths: ReadonlySet<string>): CheckpointFiles[] {
  const suffix = ".config.json";
  if (!path.endsWith(suffix)) return [];
  const name = path.slice(0, -suffix.length);
  const [weights, io] = [`${name}.safetensors`, `${name}_io.safetensors`];
  // Half a checkpoint is a broken one; a config.json alone is somebody else's file.
  return paths.has(weights) || paths.has(io) ? [{ name, config: path, weights, io }] : [];
}
