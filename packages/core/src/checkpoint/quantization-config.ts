/** `quantization_config` in config.json: what transformers reads to know how a checkpoint was quantized (BitsAndBytesConfig). */

import { floatDtypes } from "../dtype.js";
import { halfbyteError } from "../errors.js";
import type { Float } from "../tensor.js";
import {
  insertMember,
  isJsonError,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
  removeMember,
} from "./strict-json.js";

export const configName = "config.json";
export type QuantStorage = "uint8" | Float;

/** Options of a checkpoint's quantization, as transformers names them. */
export interface QuantizationConfig {
  readonly bits: 4 | 8;
  /** nf4, fp4 or another 4-bit format; ignored for 8 bits, where upstream's default stands. */
  readonly quantType: string;
  readonly nested: boolean;
  readonly computeDtype: Float;
  readonly quantStorage: QuantStorage;
  /** LLM.int8() outlier threshold. */
  readonly threshold: number;
  readonly skipModules: readonly string[];
}

/** The object transformers writes, keys in its order. */
export function quantizationConfigJson(config: QuantizationConfig): JsonObject {
  const is4bit = config.bits === 4;
  return {
    quant_method: "bitsandbytes",
    _load_in_4bit: is4bit,
    _load_in_8bit: !is4bit,
    load_in_4bit: is4bit,
    load_in_8bit: !is4bit,
    llm_int8_threshold: config.threshold,
    llm_int8_has_fp16_weight: false,
    llm_int8_skip_modules: [...config.skipModules],
    llm_int8_enable_fp32_cpu_offload: false,
    bnb_4bit_quant_type: is4bit ? config.quantType : "fp4",
    bnb_4bit_use_double_quant: is4bit && config.nested,
    bnb_4bit_compute_dtype: is4bit ? config.computeDtype : "float32",
    bnb_4bit_quant_storage: is4bit ? config.quantStorage : "uint8",
  };
}

/** Parses config.json. Throws CONFIG_INVALID. */
export function parseConfig(text: string, file = configName): JsonObject {
  let value: JsonValue;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    if (isJsonError(cause)) throw invalid(file, `${file}: ${cause.message}`, cause);
    throw cause;
  }
  if (isJsonObject(value)) return value;
  throw invalid(file, `${file} is not an object.`);
}

const invalid = (file: string, message: string, cause?: unknown): Error =>
  halfbyteError("CONFIG_INVALID", message, { details: { file }, cause });

/** The same config with its quantization_config set; every other byte stays as it is. */
export const withQuantizationConfig = (text: string, config: QuantizationConfig): string =>
  insertMember(text, "quantization_config", JSON.stringify(quantizationConfigJson(config), null, 2));

export const withoutQuantizationConfig = (text: string): string => removeMember(text, "quantization_config");

/** The dtype the config says the weights have. */
export function configDtype(config: JsonObject | undefined): Float | undefined {
  const named = config?.["torch_dtype"] ?? config?.["dtype"];
  return floatDtypes.find((dtype) => dtype === named);
}
