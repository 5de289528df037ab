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
export function selectWeights(
  tensors: readonly WeightCandidate[],
  selection: WeightSelection,
): Map<string, WeightDecision> {
  const conv1d = usesConv1d(tensors, selection.config);
  return new Map(tensors.map((tensor) => [tensor.name, decide(tensor, selection, conv1d)]));
}

function decide(tensor: WeightCandidate, selection: WeightSelection, conv1d: boolean): WeightDecision {
  const { skip = [], only = [] } = selection;
  const transpose = conv1d && conv1dName.test(tensor.name);
  const no = (reason: string) => ({ quantize: false, reason, transpose: false });
  const shapeProblem = unquantizable(tensor);
  if (shapeProblem) return no(shapeProblem);
  const skipping = skip.find((glob) => matches(glob, tensor.name));
  if (skipping) return no(`matches --skip ${skipping}`);
  const chosen = only.find((glob) => matches(glob, tensor.name));
  if (chosen) return { quantize: true, reason: `matches --only ${chosen}`, transpose };
  if (only.length > 0) return no("matches no --only");
  const rule = skippedByRule(tensor.name, selection.skipModules);
  return rule
    ? no(rule)
    : { quantize: true, reason: transpose ? "Conv1D weight, transposed" : "linear weight", transpose };
}

/** What no option can change. */
function unquantizable({ name, dtype, shape }: WeightCandidate): string | undefined {
  if (!quantizableDtypes.includes(dtype)) return `${dtype} is not a float that bitsandbytes quantizes`;
  const fused = shape.length === 3 && /expert|moe/.test(name) ? "three-dimensional (fused experts)" : undefined;
  if (!name.endsWith(".weight")) return fused ? `${fused}, not named *.weight` : "not named *.weight";
  if (shape.length !== 2) return fused ?? `${shape.length}-dimensional, not a matrix`;
  return shape.includes(0) ? "empty" : undefined;
}

function skippedByRule(name: string, skipModules: readonly string[]): string | undefined {
  const module = moduleOf(name);
  const entry = skipModules.find((skipped) => isSkipped(module, skipped));
  if (entry) return `module in llm_int8_skip_modules (${entry})`;
  return isEmbedding(module) ? "embedding" : undefined;
}

/** The rule of transformers: an entry stands for a module of this name, and for every module whose dotted name contains it with a dot behind. */
export const isSkipped = (module: string, entry: string): boolean =>
  module === entry || `${module}.`.includes(`${entry}.`);

/** The module a weight belongs to. */
export const moduleOf = (name: string): string => name.replace(/\.weight$/, "");

/** Embeddings by the last part of their module's name; projections of embeddings are linear layers. */
function isEmbedding(module: string): boolean {
  const last = module.slice(module.lastIndexOf(".") + 1);
  return /embed|position|^wte$|^wpe$|^shared$|^relative_attention_bias$/.test(last) && !/projection|mapping/.test(last);
}

const outputEmbeddings: readonly string[] = ["lm_head", "embed_out", "proj_out", "cls.predictions.decoder"];

/** The name of an output embedding that is tied to the input embedding and not stored, unless it is lm_head. */
const unstoredOutputs: Readonly<Record<string, string>> = { bert: "cls.predictions.decoder", whisper: "proj_out" };

const wo = ["wo"];
const router = ["router"];
/** Modules that transformers never replaces: `_keep_in_fp32_modules`, and routers that are no plain linear layers. */
const neverReplaced: Readonly<Record<string, readonly string[]>> = {
  t5: wo,
  mt5: wo,
  umt5: wo,
  longt5: wo,
  switch_transformers: wo,
  pop2piano: wo,
  udop: wo,
  gpt_oss: router,
  llama4: router,
  llama4_text: router,
};

/** Modules that stay as they are when nobody says otherwise: the output embedding, stored or tied, and what the model type adds. */
export function defaultSkipModules(names: readonly string[], config: JsonObject | undefined): readonly string[] {
  const modules = new Set(names.map(moduleOf));
  const type = String(config?.["model_type"]);
  const found = outputEmbeddings.filter((module) => modules.has(module));
  const outputs = found.length > 0 ? found : [ownValue(unstoredOutputs, type) ?? "lm_head"];
  return [...outputs, ...(ownValue(neverReplaced, type) ?? [])];
}

const ownValue = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

const conv1dModels: readonly unknown[] = ["gpt2", "openai-gpt", "imagegpt", "decision_transformer"];

const conv1dName = /(^|\.)(c_attn|q_attn|c_proj|c_fc)\.weight$/;

/** GPT-2 and its kin store linear weights as [inFeatures, outFeatures]; the config's model type says so. */
export const isConv1dWeight = (name: string, config: JsonObject | undefined): boolean =>
  conv1dName.test(name) && conv1dModels.includes(config?.["model_type"]);

/** Without a config the fused c_attn gives a model away: [n, 3n]. */
function usesConv1d(tensors: readonly WeightCandidate[], config: JsonObject | undefined): boolean {
  if (typeof config?.["model_type"] === "string") return conv1dModels.includes(config["model_type"]);
  return tensors.some(({ name, shape: [rows, columns] }) => name.endsWith("c_attn.weight") && columns === 3 * rows!);
}

/** `*` stands for any characters but a dot, `**` for any, `?` for one. A pattern without wildcard also matches a module. */
export function matches(glob: string, name: string): boolean {
  const pattern = glob.replace(/\*\*|[*?]|[^*?]+/g, (part) =>
    part === "**" ? ".*" : part === "*" ? "[^.]*" : part === "?" ? "." : literal(part),
  );
  return (
    new RegExp(`^${pattern}$`).test(name) ||
    (!/[*?]/.test(glob) && (moduleOf(name) === glob || name.startsWith(`${glob}.`)))
  );
}

const literal = (text: string): string => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
