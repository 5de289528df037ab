/**
 * Which tensors of a checkpoint are quantized: the two-dimensional float weights of linear layers. A pure function of names,
 * dtypes, shapes and config; each decision carries its reason. The rules are those of transformers' replacement of
 * nn.Linear and Conv1D, seen from the file.
 */
import type { StoredDType } from "./stored-dtype.js";
import type { JsonObject } from "./strict-json.js";

export interface WeightCandidate {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
}

export interface WeightDecision {
  readonly quantize: boolean;
  /** A sentence for `--dry-run` and reports. */
  readonly reason: string;
  /** Stored as [inFeatures, outFeatures] (Conv1D of GPT-2): turned before quantizing, as upstream. */
  readonly transpose: boolean;
}

export interface WeightSelection {
  /** Quantize only names that match one of these globs. */
  readonly only?: readonly string[];
  /** Do not quantize names that match one of these globs; stronger than `only`. */
  readonly skip?: readonly string[];
  /** llm_int8_skip_modules: a module whose name equals an entry, or contains it followed by a dot. */
  readonly skipModules: readonly string[];
  readonly config?: JsonObject;
}

const quantizableDtypes: readonly StoredDType[] = ["F32", "F16", "BF16"];

/** Decides about every tensor. */
export function selectWeights(tensors: readonly WeightCandidate[], selection: WeightSelection): Map<string, WeightDecision> {
  return new Map(tensors.map((tensor) => [tensor.name, decide(tensor, selection)]));
}

function decide(tensor: WeightCandidate, selection: WeightSelection): WeightDecision {
  const { skip = [], only = [] } = selection;
  const transpose = isConv1d(tensor, selection.config);
  const no = (reason: string) => ({ quantize: false, reason, transpose: false });
  const shapeProblem = unquantizable(tensor);
  if (shapeProblem) return no(shapeProblem);
  const skipping = skip.find((glob) => matches(glob, tensor.name));
  if (skipping) return no(`matches --skip ${skipping}`);
  const chosen = only.find((glob) => matches(glob, tensor.name));
  if (chosen) return { quantize: true, reason: `matches --only ${chosen}`, transpose };
  if (only.length > 0) return no("matches no --only");
  const rule = skippedByRule(tensor.name, selection.skipModules);
  return rule ? no(rule) : { quantize: true, reason: transpose ? "Conv1D weight, transposed" : "linear weight", transpose };
}

/** What no option can change. */
function unquantizable({ name, dtype, shape }: WeightCandidate): string | undefined {
  if (!quantizableDtypes.includes(dtype)) return `${dtype} is not a float that bitsandbytes quantizes`;
  if (!name.endsWith(".weight")) return shape.length === 3 ? "three-dimensional (fused experts), not named *.weight" : "not named *.weight";
  if (shape.length !== 2) return shape.length === 3 ? "three-dimensional (fused experts)" : `${shape.length} dimensions instead of 2`;
  return shape.includes(0) ? "empty" : undefined;
}

function skippedByRule(name: string, skipModules: readonly string[]): string | undefined {
  const module = moduleOf(name);
  const entry = skipModules.find((skipped) => module === skipped || `${module}.`.includes(`${skipped}.`));
  if (entry) return `module in llm_int8_skip_modules (${entry})`;
  return isEmbedding(module) ? "embedding" : undefined;
}

/** The module a weight belongs to. */
export const moduleOf = (name: string): string => name.replace(/\.weight$/, "");

/** Embeddings by the last part of their module's name. */
function isEmbedding(module: string): boolean {
  const last = module.slice(module.lastIndexOf(".") + 1);
  return /embed|position|^wte$|^wpe$|^shared$|^relative_attention_bias$/.test(last);
}

const outputEmbeddings: readonly string[] = ["lm_head", "embed_out", "proj_out", "cls.predictions.decoder"];

/** Modules that stay as they are when nobody says otherwise: the output embedding, tied to the input embedding or not. */
export function defaultSkipModules(names: readonly string[], config: JsonObject | undefined): readonly string[] {
  const modules = new Set(names.map(moduleOf));
  const found = outputEmbeddings.filter((module) => modules.has(module));
  const tied = config?.["tie_word_embeddings"] === true;
  return found.length > 0 ? found : tied || modules.size > 0 ? ["lm_head"] : [];
}

const conv1dModels: readonly unknown[] = ["gpt2", "openai-gpt", "imagegpt", "decision_transformer"];

const conv1dName = /(^|\.)(c_attn|q_attn|c_proj|c_fc)\.weight$/;

/** GPT-2 and its kin store linear weights as [inFeatures, outFeatures]; the config's model type says so. */
export const isConv1dWeight = (name: string, config: JsonObject | undefined): boolean => conv1dName.test(name) && conv1dModels.includes(config?.["model_type"]);

/** Without a config the fused c_attn gives it away: [n, 3n]. */
function isConv1d({ name, shape }: WeightCandidate, config: JsonObject | undefined): boolean {
  if (typeof config?.["model_type"] === "string") return isConv1dWeight(name, config);
  return name.endsWith("c_attn.weight") && shape[1] === 3 * shape[0]!;
}

/** `*` stands for any characters but a dot, `**` for any, `?` for one. A pattern without wildcard also matches a module. */
export function matches(glob: string, name: string): boolean {
  const pattern = glob.replace(/\*\*|[*?]|[^*?]+/g, (part) => (part === "**" ? ".*" : part === "*" ? "[^.]*" : part === "?" ? "." : escape(part)));
  return new RegExp(`^${pattern}$`).test(name) || (!/[*?]/.test(glob) && (moduleOf(name) === glob || name.startsWith(`${glob}.`)));
}

const escape = (text: string): string => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
