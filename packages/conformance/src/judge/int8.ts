/** LLM.int8(): row-wise quantization, integer matmul, dequantization, outlier columns, and the layer made of them. */
import type { Float, Tensor } from "@halfbyte/core";
import { fromFloat32 } from "@halfbyte/core";
import { int8Constant, int8Layer } from "../tolerance.js";
import { differenceBeyond } from "./compare.js";
import { type Elements, elementsOf, isFloatType, numbersOf, readElements, type Stored, widthOf } from "./elements.js";
import { productOf } from "./float64.js";
import { againstProduct, cast } from "./matmul-4bit.js";
import { invalidCase, type Trial, type Verdict, type Verdicts } from "./trial.js";

export async function* vectorwiseQuant(trial: Trial): Verdicts {
  const threshold = trial.number("threshold");
  const { q, rowStats, outlierColumns } = trial.run("int8VectorwiseQuant", { x: trial.float("A"), threshold });
  if (trial.wants("q")) yield trial.read("q", q);
  if (trial.wants("row_stats")) yield trial.read("row_stats", rowStats);
  yield outlierVerdict(trial, columnsOf(await outlierColumns.read()));
  if (trial.wants("dequant")) yield trial.read("dequant", vectorDequant(trial));
}

/** Upstream returns no list without a threshold; the mask then has no bit set. */
function outlierVerdict(trial: Trial, columns: readonly number[]): Verdict {
  const expected = trial.wants("outlier_cols") ? numbersOf(trial.expected("outlier_cols")) : new Float64Array();
  return { output: "outlier_cols", difference: differenceBeyond(expected, Float64Array.from(columns), () => 0) };
}

const columnsOf = (mask: Uint8Array): number[] => [...mask.keys()].filter((column) => mask[column] !== 0);

function vectorDequant(trial: Trial): Tensor<"float32"> {
  const [q, rowStats] = [trial.expected("q"), trial.expected("row_stats")];
  const args = { q: trial.upload("int8", q), rowStats: trial.upload("float32", rowStats) };
  return trial.run("int8VectorwiseDequant", args).out;
}

export async function* linearMatmul(trial: Trial): Verdicts {
  const [a, b] = [trial.upload("int8", trial.input("A")), trial.upload("int8", trial.input("B"))];
  yield trial.read("out", trial.run("int8LinearMatmul", { a, b }).out);
}

export async function* mmDequant(trial: Trial): Verdicts {
  yield* scaledVerdicts(trial, async (on) => readElements(on.run("int8MmDequant", mmDequantArgs(on)).out));
}

const mmDequantArgs = (trial: Trial) => ({
  a: trial.upload("int32", trial.input("A")),
  rowStats: trial.upload("float32", trial.input("row_stats")),
  colStats: trial.upload("float32", trial.input("col_stats")),
  dtype: outDtype(trial),
  profile: trial.profile,
  ...biasOf(trial),
});

export async function* scaledMm(trial: Trial): Verdicts {
  yield* scaledVerdicts(trial, async (on) => readElements(on.run("int8ScaledMm", scaledMmArgs(on)).out));
}

const scaledMmArgs = (trial: Trial) => ({ ...quantizedOperands(trial), dtype: outDtype(trial), ...biasOf(trial) });

const quantizedOperands = (trial: Trial) => ({
  a: trial.upload("int8", trial.input("CA")),
  b: trial.upload("int8", trial.input("CB")),
  rowStats: trial.upload("float32", trial.input("SCA")),
  colStats: trial.upload("float32", trial.input("SCB")),
  profile: trial.profile,
});

const biasOf = (trial: Trial): { bias?: Tensor<Float> } => (trial.has("bias") ? { bias: trial.float("bias") } : {});

function outDtype(trial: Trial): Float {
  const { dtype } = trial.expected("out");
  if (isFloatType(dtype)) return dtype;
  throw invalidCase(`out is ${dtype}`);
}

/** Under `cpu` the vector's bits. Elsewhere the reference kernels' bits, and close to the vector, whose constant differs. */
async function* scaledVerdicts(trial: Trial, run: (on: Trial) => Promise<Elements>): Verdicts {
  const found = await run(trial);
  yield trial.bits("out", found, await trial.vectorOr("out", run));
  if (trial.profile === "cpu") return;
  const expected = numbersOf(trial.expected("out"));
  const bias = trial.has("bias") ? numbersOf(trial.input("bias")) : new Float64Array(1);
  const bound = (i: number) => int8Constant(outDtype(trial), expected[i]!, bias[i % bias.length]!);
  yield trial.within("out", numbersOf(found), expected, bound);
}

export async function* mixedScaledMm(trial: Trial): Verdicts {
  if (trial.wants("subA")) yield trial.bits("subA", await outlierActivations(trial));
  const args = {
    ...quantizedOperands(trial),
    x: trial.float("A"),
    outlierColumns: storedMask(trial),
    ...biasOf(trial),
  };
  yield largestRelative(trial, "out", await readElements(trial.run("int8MixedScaledMm", args).out));
}

/** The columns of A that the mask of the backend names, in order. Upstream quantizes A rounded to float16. */
async function outlierActivations(trial: Trial): Promise<Elements> {
  const x = trial.uploadFloat(cast(trial.input("A"), "float16"));
  const threshold = trial.number("threshold");
  const { outlierColumns } = trial.run("int8VectorwiseQuant", { x, threshold });
  return gatherColumns(trial.input("A"), columnsOf(await outlierColumns.read()));
}

function gatherColumns({ dtype, bytes, shape }: Stored, columns: readonly number[]): Elements {
  const width = widthOf(dtype);
  const k = shape[shape.length - 1] ?? 1;
  const rows = bytes.length / width / k;
  const out = new Uint8Array(rows * columns.length * width);
  for (let row = 0; row < rows; row++) {
    columns.forEach((column, i) => {
      const from = (row * k + column) * width;
      out.set(bytes.subarray(from, from + width), (row * columns.length + i) * width);
    });
  }
  return { dtype, bytes: out };
}

/** The list in the vector as the mask that kernels take. */
function storedMask(trial: Trial): Tensor<"uint8"> {
  const { shape } = trial.input("A");
  const mask = new Uint8Array(shape[shape.length - 1] ?? 0);
  for (const column of numbersOf(trial.input("outlier_cols"))) mask[column] = 1;
  return trial.own(trial.backend.tensor("uint8", [mask.length], mask));
}

/** Within (2⁻¹⁵ + 2u) of the largest output. */
function largestRelative(trial: Trial, output: string, found: Elements): Verdict {
  const { dtype } = trial.expected(output);
  if (!isFloatType(dtype)) throw invalidCase(`${output} is ${dtype}`);
  const expected = numbersOf(trial.expected(output));
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const bound = int8Layer(dtype) * largest;
  return trial.within(output, numbersOf(found), expected, () => bound);
}

interface Layer {
  readonly q: Tensor<"int8">;
  readonly rowStats: Tensor<"float32">;
}

export async function* linear8bitForward(trial: Trial): Verdicts {
  const layer = trial.run("int8VectorwiseQuant", {
    x: trial.uploadFloat(cast(trial.input("W"), "float16")),
    threshold: 0,
  });
  yield trial.read("CB", layer.q);
  yield trial.read("SCB", layer.rowStats);
  if (trial.wants("out_eval")) yield largestRelative(trial, "out_eval", await evaluated(trial, layer));
  yield* trained(trial, layer);
}

/** LLM.int8(): quantization sees x rounded to float16, outlier columns come from x itself, the bias is cast to its dtype. */
async function evaluated(trial: Trial, layer: Layer): Promise<Elements> {
  const threshold = trial.number("threshold");
  const x = flattened(trial);
  const quantized = trial.run("int8VectorwiseQuant", { x: trial.uploadFloat(cast(x, "float16")), threshold });
  const operands = {
    a: quantized.q,
    b: layer.q,
    rowStats: quantized.rowStats,
    colStats: layer.rowStats,
    profile: trial.profile,
    ...layerBias(trial, x.dtype),
  };
  if (threshold === 0) return readElements(trial.run("int8ScaledMm", { ...operands, dtype: x.dtype }).out);
  const { outlierColumns } = quantized;
  return readElements(trial.run("int8MixedScaledMm", { ...operands, x: trial.uploadFloat(x), outlierColumns }).out);
}

function flattened(trial: Trial): Stored & { readonly dtype: Float } {
  const { dtype, bytes } = trial.input("x");
  if (!isFloatType(dtype)) throw invalidCase(`x is ${dtype}`);
  const k = trial.number("in_features");
  return { dtype, bytes, shape: [bytes.length / widthOf(dtype) / k, k] };
}

function layerBias(trial: Trial, dtype: Float): { bias?: Tensor<Float> } {
  return trial.has("bias") ? { bias: trial.uploadFloat(cast(trial.input("bias"), dtype)) } : {};
}

/** Training on a CPU: the weight is dequantized to the dtype of x and multiplied; activations stay as they are. */
async function* trained(trial: Trial, { q, rowStats }: Layer): Verdicts {
  const [x, k] = [flattened(trial), trial.number("in_features")];
  const dequantized = await trial.run("int8VectorwiseDequant", { q, rowStats }).out.read();
  const weight = { ...elementsOf(x.dtype, fromFloat32(x.dtype, dequantized)), shape: [dequantized.length / k, k] };
  const args = { x: trial.uploadFloat(x), weight: trial.uploadFloat(weight), ...layerBias(trial, x.dtype) };
  const y = numbersOf(await readElements(trial.run("gemm", args).out));
  const bias = trial.has("bias") ? numbersOf(cast(trial.input("bias"), x.dtype)) : undefined;
  const product = productOf(numbersOf(x), Float64Array.from(dequantized), k, bias);
  const judged = { dtype: x.dtype, roundedWeight: true, outputs: ["out_train", "ref_f64"] };
  yield* againstProduct(trial, y, product, judged);
}
