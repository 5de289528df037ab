/**
 * Operation `checkpoint`: quantizing the original weights with the options that config.json states must give the very file
 * that Python wrote; its weights must decode to `dequant.*`; and the model made of them must give the reference logits.
 */
import {
  bytesSource,
  type CheckpointReport,
  type Float,
  halfbyteError,
  memoryRepository,
  memorySink,
  openCheckpoint,
  openSafetensors,
  type QuantizedTensor,
  quantizeCheckpoint,
  writeSafetensors,
} from "@halfbyte/core";
import { isRecord, type Params } from "../golden/side-car.js";
import { tensorsIn } from "../golden/tensors.js";
import { errorBound, errorFigures, matmulBound, unitRoundoff } from "../tolerance.js";
import { differenceInText, firstDifferingByte } from "./compare.js";
import { arrayOf, type Elements, isFloatType, numbersOf, readElements, type Stored } from "./elements.js";
import { productOf, weightErrorOf } from "./float64.js";
import { finalState, type Linear } from "./model.js";
import { invalidCase, type Trial, type Verdict, type Verdicts } from "./trial.js";

/** A checkpoint as a case: its params are config.json, its tensors those of `<name>_io.safetensors`. */
export interface CheckpointFile {
  /** The bytes of `<name>.safetensors`. */
  readonly bytes: Uint8Array;
}

type Checkpoint = Awaited<ReturnType<typeof openCheckpoint>>;

export async function* checkpoint(trial: Trial, { bytes }: CheckpointFile): Verdicts {
  const report = yield* quantizedFile(trial, bytes);
  const files = { "model.safetensors": bytes, "config.json": jsonBytes(trial.record.params) };
  const opened = await openCheckpoint(memoryRepository(files), { backend: trial.backend });
  try {
    yield* decodedWeights(trial, opened);
    yield* measuredErrors(trial, opened, report);
    yield await logits(trial, opened, await tensorsIn(bytes, "model.safetensors"));
  } finally {
    await opened.close();
  }
}

const jsonBytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/**
 * Always profile `cpu`: Python on a CPU wrote the file, so that its nested codes follow the rules of that kernel. Devices
 * without that profile leave those codes to the reference kernels, as they would for a user.
 */
async function* quantizedFile(trial: Trial, expected: Uint8Array): AsyncGenerator<Verdict, CheckpointReport, void> {
  const { quantization_config: stated, ...config } = trial.record.params;
  if (!isRecord(stated)) throw invalidCase("a checkpoint without quantization_config");
  const originals = { "model.safetensors": originalWeights(trial), "config.json": jsonBytes(config) };
  const sink = memorySink();
  const options = { ...optionsOf(stated), profile: "cpu", backend: trial.backend } as const;
  const report = await quantizeCheckpoint(memoryRepository(originals), sink, options);
  yield await fileVerdict(expected, written(sink.files, "model.safetensors"));
  yield configVerdict(stated, written(sink.files, "config.json"));
  return report;
}

function written(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = files.get(name);
  if (bytes) return bytes;
  throw halfbyteError("VECTORS_INVALID", `quantizeCheckpoint wrote no ${name}.`);
}

/** `original.<name>` of the io file as a model.safetensors of its own. */
function originalWeights(trial: Trial): Uint8Array {
  const prefix = "original.";
  const names = [...trial.tensors.keys()].filter((name) => name.startsWith(prefix));
  const tensors = names.map((name) => {
    const { dtype, shape, bytes } = trial.tensors.get(name)!;
    return { name: name.slice(prefix.length), dtype: storedName(dtype), shape, bytes };
  });
  return writeSafetensors(tensors, { format: "pt" });
}

function storedName(dtype: Elements["dtype"]): "F32" | "F16" | "BF16" {
  const names = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;
  if (isFloatType(dtype)) return names[dtype];
  throw invalidCase(`an original weight is ${dtype}`);
}

/** The options of the command line that a quantization_config states. */
function optionsOf(stated: Params) {
  if (stated["load_in_8bit"] === true)
    return { format: "int8", threshold: numberIn(stated, "llm_int8_threshold") } as const;
  const format = stated["bnb_4bit_quant_type"];
  if (format !== "nf4" && format !== "fp4") throw invalidCase(`bnb_4bit_quant_type is ${String(format)}`);
  return {
    format,
    nested: stated["bnb_4bit_use_double_quant"] === true,
    computeDtype: floatIn(stated, "bnb_4bit_compute_dtype"),
    quantStorage: storageIn(stated, "bnb_4bit_quant_storage"),
  } as const;
}

function numberIn(params: Params, name: string): number {
  const value = params[name];
  if (typeof value === "number") return value;
  throw invalidCase(`${name} is ${String(value)}`);
}

function floatIn(params: Params, name: string): Float {
  const value = params[name];
  if (value === "float32" || value === "float16" || value === "bfloat16") return value;
  throw invalidCase(`${name} is ${String(value)}`);
}

const storageIn = (params: Params, name: string): Float | "uint8" =>
  params[name] === "uint8" ? "uint8" : floatIn(params, name);

/** Identical, header included; the first difference names its tensor and the byte within it. */
async function fileVerdict(expected: Uint8Array, found: Uint8Array): Promise<Verdict> {
  const at = firstDifferingByte(expected, found);
  if (at < 0) return { output: "file" };
  const { name, begin } = await placeOf(at, found);
  const difference = { index: at - begin, expected: byteAt(expected, at), found: byteAt(found, at), bound: "bits" };
  return { output: `file ${name}`, difference };
}

/** Before the first tensor lies the header. */
async function placeOf(at: number, file: Uint8Array): Promise<{ name: string; begin: number }> {
  const { entries } = await openSafetensors(bytesSource(file));
  const owner = [...entries.values()].find(
    ({ byteOffset, byteLength }) => at >= byteOffset && at < byteOffset + byteLength,
  );
  if (owner) return { name: owner.name, begin: owner.byteOffset };
  return { name: at < file.length ? "header" : "length", begin: 0 };
}

const byteAt = (bytes: Uint8Array, at: number): number | string => bytes[at] ?? "end of file";

function configVerdict(expected: Params, written: Uint8Array): Verdict {
  const config: unknown = JSON.parse(new TextDecoder().decode(written));
  const found = isRecord(config) ? config["quantization_config"] : undefined;
  return { output: "quantization_config", difference: differenceInText(canonical(expected), canonical(found)) };
}

/** JSON with sorted keys: equal as JSON is equal as this text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isRecord(value)) return JSON.stringify(value) ?? "undefined";
  const entries = Object.keys(value).sort();
  return `{${entries.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

async function* decodedWeights(trial: Trial, opened: Checkpoint): Verdicts {
  for (const output of Object.keys(trial.record.outputs).filter((name) => name.startsWith("dequant."))) {
    const weight = trial.own(await opened.quantized(output.slice("dequant.".length)));
    yield trial.bits(output, await decoded(trial, weight, floatOf(trial.expected(output))));
  }
}

/** What the report says of each weight, against float64. */
async function* measuredErrors(trial: Trial, opened: Checkpoint, { tensors }: CheckpointReport): Verdicts {
  for (const { name, error } of tensors.filter(({ action }) => action === "quantized")) {
    const values = await decoded(trial, trial.own(await opened.quantized(name)), "float32");
    const expected = weightErrorOf(numbersOf(named(trial.tensors, `original.${name}`)), numbersOf(values));
    const figures = (of: typeof error) => Float64Array.from(errorFigures, (figure) => of?.[figure] ?? Number.NaN);
    const bound = (i: number) => errorBound(errorFigures[i]!, expected[errorFigures[i]!]);
    yield trial.within(`error of ${name}`, figures(error), figures(expected), bound);
  }
}

function floatOf({ dtype }: Stored): Float {
  if (isFloatType(dtype)) return dtype;
  throw invalidCase(`a decoded weight is ${dtype}`);
}

/** 4-bit weights decode to the dtype of the vector; LLM.int8() rows always to float32. */
async function decoded(trial: Trial, weight: QuantizedTensor, dtype: Float): Promise<Elements> {
  if (weight.scales.kind !== "row") return readElements(trial.run("dequantize4bit", { weight, dtype }).out);
  return readElements(decodedRows(trial, weight));
}

function decodedRows(trial: Trial, { codes, shape, scales }: QuantizedTensor) {
  if (codes.dtype !== "int8") throw invalidCase("row scales without int8 codes");
  const q = trial.own(codes.reshape(shape));
  return trial.run("int8VectorwiseDequant", {
    q,
    rowStats: scales.absmax as typeof scales.absmax & { dtype: "float32" },
  }).out;
}

/**
 * Activations in float32, weights unrounded. Against the float64 reference, whose weights are rounded to the dtype of
 * `dequant.*`, the bound is that of one product, lm_head, with u·S added: u(float32)·|r| + c·S + u·S. It holds although
 * errors of the layers before pass through, because they are random and S counts them as if they were aligned: over the
 * dev checkpoints the largest error is 0.11 of the bound.
 */
async function logits(trial: Trial, opened: Checkpoint, weights: ReadonlyMap<string, Stored>): Promise<Verdict> {
  const lookup = (name: string) => numbersOf(named(weights, name));
  const head = named(weights, "lm_head.weight");
  const hidden = head.shape[1] ?? 1;
  const ids = numbersOf(named(trial.tensors, "input_ids"));
  const linear = linearOf(trial, opened, weights);
  const x = await finalState({ layers: layerCount(weights), hidden, ids, lookup, linear });
  const y = await multiply(trial, Float32Array.from(x), head);
  const output = "logits_ref_f64";
  const expected = numbersOf(trial.expected(output));
  const { r, s } = productOf(x, numbersOf(head), hidden);
  const bound = matmulBound("float32", "exact", hidden);
  const rounding = unitRoundoff[weightDtype(trial)];
  return trial.within(output, Float64Array.from(y), expected, (i) => bound(r[i]!, s[i]!) + rounding * s[i]!);
}

function named(tensors: ReadonlyMap<string, Stored>, name: string): Stored {
  const stored = tensors.get(name);
  if (stored) return stored;
  throw invalidCase(`a checkpoint without ${name}`);
}

const layerCount = (weights: ReadonlyMap<string, Stored>): number =>
  [...weights.keys()].filter((name) => /^model\.layers\.\d+\.input_layernorm\.weight$/.test(name)).length;

function weightDtype(trial: Trial): Float {
  const name = Object.keys(trial.record.outputs).find((output) => output.startsWith("dequant."));
  return name === undefined ? "float32" : floatOf(trial.expected(name));
}

/** Quantized layers: gemm4bit, or LLM.int8() rows decoded and multiplied. */
function linearOf(trial: Trial, opened: Checkpoint, weights: ReadonlyMap<string, Stored>): Linear {
  return async (layer, values) => {
    const weight = trial.own(await opened.quantized(`${layer}.weight`));
    const stored = weights.get(`${layer}.bias`);
    const bias = stored ? { bias: trial.float32(Float32Array.from(numbersOf(stored))) } : {};
    const x = activations(trial, values, weight.shape[1] ?? 1);
    if (weight.scales.kind !== "row") return read(trial.run("gemm4bit", { x, weight, ...bias }).out);
    return read(trial.run("gemm", { x, weight: decodedRows(trial, weight), ...bias }).out);
  };
}

async function multiply(trial: Trial, values: Float32Array, head: Stored): Promise<Float32Array> {
  const [n, k] = [head.shape[0] ?? 1, head.shape[1] ?? 1];
  const weight = trial.own(trial.backend.tensor("float32", [n, k], Float32Array.from(numbersOf(head))));
  return read(trial.run("gemm", { x: activations(trial, values, k), weight }).out);
}

const activations = (trial: Trial, values: Float32Array, k: number) =>
  trial.own(trial.backend.tensor("float32", [values.length / k, k], values));

async function read(tensor: Parameters<typeof readElements>[0]): Promise<Float32Array> {
  return arrayOf("float32", (await readElements(tensor)).bytes);
}
