/** The safetensors files of a checkpoint, opened and checked against the index. */
import { halfbyteError } from "../errors.js";
import { configName } from "./quantization-config.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { parseShardIndex, shardIndexName } from "./shard-index.js";
import type { Repository } from "./source.js";

export interface Shard {
  readonly file: string;
  readonly safetensors: SafetensorsFile;
}

export interface ShardSet {
  readonly shards: readonly Shard[];
  /** The index file's name and text, when there is one. */
  readonly index?: { readonly file: string; readonly text: string };
  readonly files: readonly string[];
}

/** Tensors by name, wherever they stand. */
export interface TensorStore extends Pick<SafetensorsFile, "entries" | "entry" | "read"> {
  readonly name: string;
}

/** The tensors of all shards: a quantized weight and its side tensors may stand in different ones. */
export function tensorStore(name: string, shards: readonly Shard[]): TensorStore {
  const files = shards.map(({ safetensors }) => safetensors);
  const home = new Map(files.flatMap((file) => [...file.entries.keys()].map((tensor) => [tensor, file] as const)));
  const homeOf = (tensor: string): SafetensorsFile => home.get(tensor) ?? files[0]!;
  return {
    name,
    entries: new Map(files.flatMap(({ entries }) => [...entries])),
    entry: (tensor) => homeOf(tensor).entry(tensor),
    read: (tensor, options) => homeOf(tensor).read(tensor, options),
  };
}

const isIndex = (file: string): boolean => file.endsWith(".safetensors.index.json");

/** Opens every shard. Throws INPUT_NOT_FOUND, INDEX_INVALID, SHARD_MISSING, DUPLICATE_TENSOR or what a container is refused for. */
export async function openShards(repository: Repository, signal?: AbortSignal): Promise<ShardSet> {
  const files = await repository.list();
  const indexFile = files.includes(shardIndexName) ? shardIndexName : files.find(isIndex);
  const text = indexFile && (await readText(repository, indexFile, signal));
  const placement = text !== undefined && indexFile !== undefined ? parseShardIndex(text, indexFile) : undefined;
  const names = placement
    ? [...new Set(placement.values())].sort()
    : files.filter((file) => file.endsWith(".safetensors"));
  if (names.length === 0)
    throw halfbyteError("INPUT_NOT_FOUND", `${repository.name} holds no safetensors file.`, {
      details: { file: repository.name },
    });
  const shards = await openAll(repository, names, files, signal);
  try {
    checkPlacement(shards, placement);
  } catch (thrown) {
    await closeShards(shards);
    throw thrown;
  }
  return indexFile !== undefined && text !== undefined
    ? { shards, files, index: { file: indexFile, text } }
    : { shards, files };
}

async function openAll(
  repository: Repository,
  names: readonly string[],
  files: readonly string[],
  signal?: AbortSignal,
): Promise<Shard[]> {
  const shards: Shard[] = [];
  try {
    for (const file of names) {
      if (!files.includes(file))
        throw halfbyteError("SHARD_MISSING", `${repository.name} lacks the shard ${file} that its index names.`, {
          details: { file },
        });
      const safetensors = await openSafetensors(await repository.open(file, signal), signal ? { signal } : {});
      shards.push({ file, safetensors });
    }
    return shards;
  } catch (thrown) {
    await closeShards(shards);
    throw thrown;
  }
}

export async function closeShards(shards: readonly Shard[]): Promise<void> {
  await Promise.all(shards.map(({ safetensors }) => safetensors.close()));
}

/** Every tensor stands in one shard, the one the index says. */
function checkPlacement(shards: readonly Shard[], placement: ReadonlyMap<string, string> | undefined): void {
  const seen = new Map<string, string>();
  for (const { file, safetensors } of shards) {
    for (const tensor of safetensors.entries.keys()) {
      const other = seen.get(tensor);
      if (other !== undefined)
        throw halfbyteError("DUPLICATE_TENSOR", `Tensor "${tensor}" stands in ${other} and in ${file}.`, {
          details: { tensor, file },
        });
      seen.set(tensor, file);
    }
  }
  for (const [tensor, file] of placement ?? []) {
    if (seen.get(tensor) !== file)
      throw halfbyteError("INDEX_INVALID", `The index places "${tensor}" in ${file}, which does not hold it.`, {
        details: { tensor, file },
      });
  }
}

/** A small JSON file of the repository as text. Throws CONFIG_INVALID or INDEX_INVALID when it is not UTF-8. */
export async function readText(repository: Repository, file: string, signal?: AbortSignal): Promise<string> {
  const source = await repository.open(file, signal);
  try {
    return decodeText(file, await source.read(0, source.size, signal));
  } finally {
    await source.close();
  }
}

function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const code = file === configName ? "CONFIG_INVALID" : "INDEX_INVALID";
    throw halfbyteError(code, `${file} is not valid UTF-8.`, { details: { file }, cause });
  }
}
