/** Files beside the weights: tokenizer, templates, licence. Copied as they are, but not the same weights in another form. */
import { configName } from "./quantization-config.js";
import type { ShardSet } from "./shards.js";
import type { Sink } from "./sink.js";
import type { Repository } from "./source.js";

const weightFiles = /\.(safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|onnx_data|tflite|ot)$/i;
const indexFiles = /\.(safetensors|bin)\.index\.json$/;
const piece = 8 << 20;

/** Copies what is neither a shard, its index, nor config.json, which are written anew. */
export async function copyOtherFiles(
  repository: Repository,
  { shards, index, files }: ShardSet,
  sink: Sink,
  signal?: AbortSignal,
): Promise<{ copied: string[]; skipped: string[] }> {
  const written = new Set([configName, index?.file, ...shards.map(({ file }) => file)]);
  const others = files.filter((file) => !written.has(file));
  const skipped = others.filter((file) => weightFiles.test(file) || indexFiles.test(file));
  const copied = others.filter((file) => !skipped.includes(file));
  for (const file of copied) await copyFile(repository, file, sink, signal);
  return { copied, skipped };
}

async function copyFile(repository: Repository, file: string, sink: Sink, signal?: AbortSignal): Promise<void> {
  const source = await repository.open(file, signal);
  try {
    const target = await sink.create(file, source.size);
    for (let offset = 0; offset < source.size; offset += piece) {
      await target.write(offset, await source.read(offset, Math.min(piece, source.size - offset), signal));
    }
    await target.close();
  } finally {
    await source.close();
  }
}
