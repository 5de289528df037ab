/** What quantizing a checkpoint will do, tensor by tensor, before anything is written. */
import { type Details, halfbyteError } from "../errors.js";
import { getFormat } from "../formats/index.js";
import type { NonFinite, Profile } from "../kernels.js";
import { blockFormat } from "../operations/quantize.js";
import type { Float } from "../tensor.js";
import {
  configDtype,
  configName,
  parseConfig,
  type QuantizationConfig,
  type QuantStorage,
} from "./quantization-config.js";
import type { TensorEntry } from "./safetensors.js";
import { defaultSkipModules, isSkipped, moduleOf, selectWeights, type WeightDecision } from "./select-weights.js";
import { closeShards, openShards, readText, type Shard, type ShardSet } from "./shards.js";
import type { Repository } from "./source.js";
import type { JsonObject } from "./strict-json.js";

export interface QuantizeCheckpointOptions {
  /** nf4, fp4, another registered 4-bit format, or int8 (LLM.int8() rows, weights rounded to float16 first). */
  readonly format: string;
  /** 4-bit formats only; default 64, which is what transformers assumes. */
  readonly blockSize?: number;
  /** Double quantization of the block scales. */
  readonly nested?: boolean;
  readonly profile?: Profile;
  readonly nonFinite?: NonFinite;
  /** Recorded in config.json for the runtime; default: the dtype of the weights. */
  readonly computeDtype?: Float;
  /** dtype that the packed bytes pretend to have (FSDP); default uint8. */
  readonly quantStorage?: QuantStorage;
  /** LLM.int8() outlier threshold, recorded in config.json; default 6. */
  readonly threshold?: number;
  /** Globs over tensor names. */
  readonly skip?: readonly string[];
  readonly only?: readonly string[];
  /** Replaces the default list of modules that stay as they are. */
  readonly skipModules?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface PlannedTensor extends WeightDecision {
  readonly entry: TensorEntry;
  readonly shard: Shard;
}

export interface QuantizationPlan {
  readonly tensors: readonly PlannedTensor[];
  readonly shards: ShardSet;
  /** Text of config.json, when there is one. */
  readonly configText: string | undefined;
  readonly quantization: QuantizationConfig;
  readonly format: string;
  /** 0 for rows. */
  readonly blockSize: number;
}

const formatNameOf = (option: string): string => (option === "int8" ? "int8-rowwise" : option);

/** Opens the input and decides. The shards stay open: close them with `closeShards`. Throws ALREADY_QUANTIZED, NOTHING_TO_QUANTIZE and whatever the files are refused for. */
export async function planQuantization(
  repository: Repository,
  options: QuantizeCheckpointOptions,
): Promise<QuantizationPlan> {
  const { format, blockSize } = checkedFormat(options);
  const shards = await openShards(repository, options.signal);
  try {
    const configText = shards.files.includes(configName)
      ? await readText(repository, configName, options.signal)
      : undefined;
    const config = configText === undefined ? undefined : parseConfig(configText);
    refuseQuantized(repository, shards.shards, config);
    const tensors = decide(shards.shards, config, options);
    if (!tensors.some(({ quantize }) => quantize))
      throw halfbyteError("NOTHING_TO_QUANTIZE", `No tensor of ${repository.name} would be quantized.`, {
        details: { file: repository.name },
      });
    return { tensors, shards, configText, quantization: configOf(tensors, config, options), format, blockSize };
  } catch (thrown) {
    await closeShards(shards.shards);
    throw thrown;
  }
}

function checkedFormat(options: QuantizeCheckpointOptions): { format: string; blockSize: number } {
  const format = getFormat(formatNameOf(options.format));
  if (format.scales === "row") {
    if (options.nested || options.blockSize !== undefined)
      throw halfbyteError(
        "INVALID_ARGUMENT",
        "int8 has one scale per row: block size and double quantization do not apply.",
      );
    return { format: format.name, blockSize: 0 };
  }
  const blockSize = options.blockSize ?? format.defaultBlockSize;
  blockFormat(format.name, 4, blockSize);
  return { format: format.name, blockSize };
}

function refuseQuantized(repository: Repository, shards: readonly Shard[], config: JsonObject | undefined): void {
  const quantized = shards
    .flatMap(({ safetensors }) => [...safetensors.entries.keys()])
    .find((name) => /\.quant_state\.|(^|\.)SCB$/.test(name));
  if (quantized !== undefined) throw alreadyQuantized(repository.name, `"${quantized}"`, { tensor: quantized });
  if ((config?.["quantization_config"] ?? null) !== null)
    throw alreadyQuantized(repository.name, `its ${configName} has a quantization_config`, { file: configName });
}

const alreadyQuantized = (name: string, why: string, details: Details): Error =>
  halfbyteError("ALREADY_QUANTIZED", `${name} is quantized already: ${why}.`, { details });

function decide(
  shards: readonly Shard[],
  config: JsonObject | undefined,
  options: QuantizeCheckpointOptions,
): PlannedTensor[] {
  const all = shards.flatMap((shard) => [...shard.safetensors.entries.values()].map((entry) => ({ shard, entry })));
  const names = all.map(({ entry }) => entry.name);
  const selection = {
    skipModules: options.skipModules ?? defaultSkipModules(names, config),
    ...(options.skip && { skip: options.skip }),
    ...(options.only && { only: options.only }),
    ...(config && { config }),
  };
  const decisions = selectWeights(
    all.map(({ entry }) => entry),
    selection,
  );
  return all.map(({ shard, entry }) => ({ shard, entry, ...decisions.get(entry.name)! }));
}

/**
 * The quantization_config of the output. Its skip list names every linear module that stays as it is, or a loader would expect codes,
 * and none that is quantized after all (`only` is stronger than the defaults).
 */
function configOf(
  tensors: readonly PlannedTensor[],
  config: JsonObject | undefined,
  options: QuantizeCheckpointOptions,
): QuantizationConfig {
  const skipped =
    options.skipModules ??
    defaultSkipModules(
      tensors.map(({ entry }) => entry.name),
      config,
    );
  const quantized = tensors.filter(({ quantize }) => quantize).map(({ entry }) => moduleOf(entry.name));
  const left = tensors
    .filter(({ quantize, reason }) => !quantize && reason.startsWith("matches"))
    .map(({ entry }) => moduleOf(entry.name));
  return {
    bits: options.format === "int8" || getFormat(formatNameOf(options.format)).bits === 8 ? 8 : 4,
    quantType: options.format,
    nested: options.nested ?? false,
    computeDtype: options.computeDtype ?? configDtype(config) ?? commonDtype(tensors),
    quantStorage: options.quantStorage ?? "uint8",
    threshold: options.threshold ?? 6,
    skipModules: [...new Set([...skipped, ...left])].filter(
      (entry) => !quantized.some((module) => isSkipped(module, entry)),
    ),
  };
}

/** The dtype of the first weight that is quantized. */
function commonDtype(tensors: readonly PlannedTensor[]): Float {
  const dtype = tensors.find(({ quantize }) => quantize)?.entry.dtype;
  return dtype === "BF16" ? "bfloat16" : dtype === "F16" ? "float16" : "float32";
}
