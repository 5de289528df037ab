/** `model.safetensors.index.json`: which shard holds which tensor. */

import { halfbyteError } from "../errors.js";
import { checkFileName } from "./file-name.js";
import { isJsonError, isJsonObject, type JsonValue, parseStrictJson } from "./strict-json.js";

export const shardIndexName = "model.safetensors.index.json";

/** Tensor name → shard file. INDEX_INVALID, or SHARD_NAME_UNSAFE for a shard's name. */
export function parseShardIndex(text: string, file = shardIndexName): ReadonlyMap<string, string> {
  const index = parse(text, file);
  const weightMap = isJsonObject(index) ? index["weight_map"] : undefined;
  if (!isJsonObject(weightMap)) throw invalid(file, "it has no weight_map object");
  const shards = new Map(Object.entries(weightMap).map(([tensor, shard]) => [tensor, shardOf(tensor, shard, file)]));
  for (const shard of new Set(shards.values())) checkFileName(shard);
  return shards;
}

function shardOf(tensor: string, shard: JsonValue, file: string): string {
  if (typeof shard === "string") return shard;
  throw invalid(file, `weight_map has no file name for ${JSON.stringify(tensor)}`);
}

function parse(text: string, file: string): JsonValue {
  try {
    return parseStrictJson(text);
  } catch (error) {
    throw isJsonError(error) ? invalid(file, error.message, error) : error;
  }
}

function invalid(file: string, problem: string, cause?: unknown): Error {
  return halfbyteError("INDEX_INVALID", `${file}: ${problem}.`, { details: { file }, cause });
}

/** The index with new placements and total size; its other metadata stays. */
export function rewriteIndex(text: string, placement: ReadonlyMap<string, string>, totalSize: number): string {
  const index = parse(text, shardIndexName);
  const metadata = isJsonObject(index) && isJsonObject(index["metadata"]) ? index["metadata"] : {};
  const weightMap = Object.fromEntries([...placement].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ metadata: { ...metadata, total_size: totalSize }, weight_map: weightMap }, null, 2)}\n`;
}
