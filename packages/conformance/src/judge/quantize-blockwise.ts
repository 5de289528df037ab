/** quantize_blockwise: 8-bit codes through a 256-entry map, by the table rule of the CPU and by the midpoint rule. */
import { quantize } from "@halfbyte/core";
import { type Elements, isFloatType, readElements } from "./elements.js";
import { decodeLevel, nestedStatistics } from "./nested-statistics.js";
import { invalidCase, type Trial, type Verdicts } from "./trial.js";

/** The formats of core behind the maps that nested vectors use; nested statistics are made by `quantize()`. */
const formatOfMap: Readonly<Record<string, string>> = {
  dynamic: "int8-blockwise",
  udynamic: "int8-blockwise-unsigned",
  linear: "int8-blockwise-linear",
};

export async function* quantizeBlockwise(trial: Trial): Verdicts {
  const { codes, absmax } = run(trial, trial.profile);
  if (trial.wants("absmax")) yield trial.read("absmax", absmax);
  if (trial.wants("q")) yield trial.read("q", codes, expectedCodes(trial));
  if (trial.wants("q_default")) yield trial.read("q_default", run(trial, "reference").codes);
  if (trial.wants("offset")) yield* nestedLevel(trial);
  if (trial.wants("dequant")) yield* decodedVector(trial);
}

const run = (trial: Trial, profile: "reference" | "cpu") =>
  trial.run("quantizeBlockwise", {
    x: trial.float("A"),
    code: trial.upload("float32", trial.input("code")),
    blockSize: trial.number("blocksize"),
    profile,
  });

/** `q` is the CPU's table rule; the midpoint rule differs from it in `q_default`, which is stored only where it does. */
const expectedCodes = (trial: Trial): Elements =>
  trial.expected(trial.profile === "reference" && trial.wants("q_default") ? "q_default" : "q");

async function* nestedLevel(trial: Trial): Verdicts {
  const format = formatOfMap[trial.text("code")];
  if (!format) throw invalidCase(`nested statistics with the map ${trial.text("code")}`);
  const [blockSize, profile] = [trial.number("blocksize"), trial.profile];
  const { scales } = trial.own(await quantize(trial.float("A"), { format, blockSize, nested: true, profile }));
  // Upstream quantizes the second level of a blockwise tensor with the first level's block size.
  yield* nestedStatistics(trial, { scales, blockSize });
}

/** `dequant`: the vector's own codes and scales, decoded. */
async function* decodedVector(trial: Trial): Verdicts {
  const { dtype } = trial.expected("dequant");
  if (!isFloatType(dtype)) throw invalidCase(`dequant is ${dtype}`);
  const blockSize = trial.number("blocksize");
  const absmax = trial.wants("absmax_u8")
    ? await decodeLevel(trial, trial.expected("absmax_u8"), blockSize)
    : trial.expected("absmax");
  const { out } = trial.run("dequantizeBlockwise", {
    codes: trial.upload("uint8", trial.expected("q")),
    absmax: trial.upload("float32", { ...absmax, shape: [absmax.bytes.length / 4] }),
    code: trial.upload("float32", trial.input("code")),
    blockSize,
    dtype,
  });
  yield trial.bits("dequant", await readElements(out));
}
