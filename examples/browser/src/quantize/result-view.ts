/** What was made: how small, how far from the original, and where to put it. */
import type { TensorReport } from "@halfbyte/core";
import { html, part } from "../dom.js";
import { bytes, decibel, milliseconds, significant } from "../say.js";
import { scrollingTable } from "../table-view.js";
import { errorFigures } from "./error-figures.js";
import { commandOf, described, resultName } from "./formats.js";
import type { Input, Result, ResultFile } from "./quantize-calls.js";
import { resultRow } from "./result-row.js";
import { type Run, rememberRun } from "./runs-view.js";
import { saveButtons } from "./save-view.js";

export function showResult(place: HTMLElement, result: Result, { files, choice }: Input): void {
  const { report, figures, ms } = result;
  const source = files.length === 1 ? files[0]!.name : "model";
  const saved = named(result.files, files.length === 1, source, choice.format);
  const [before, after] = [totalSize(files), totalSize(saved.map(({ file }) => file))];
  const weights = report.tensors.filter(({ action }) => action === "quantized");
  const pictures = errorFigures(figures, choice.format);
  const rows = report.tensors.map((tensor) => resultRow(tensor, figures, pictures.select));
  const run = { source, choice, ms, bytesOut: after, bits: bitsOf(weights), sqnrDb: sqnrOf(weights) };
  place.replaceChildren(
    html("h2", { id: "result-title", tabindex: -1 }, `${source} as ${described(choice)}`),
    sizes(before, after),
    headline(run, before, result.backend),
    saveButtons(saved, result.kept),
    pictures.element,
    scrollingTable("Tensors and what became of them", head, rows),
    commandNote(commandOf(source, choice)),
    rememberRun(run),
  );
  place.hidden = false;
  part("result-title", HTMLElement).focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

const totalSize = (files: readonly Blob[]): number => files.reduce((sum, { size }) => sum + size, 0);

const headline = ({ bytesOut, bits, sqnrDb, ms }: Run, before: number, backend: string): HTMLElement =>
  html(
    "dl",
    { class: "headline" },
    figure(`${significant(before / bytesOut)}×`, "smaller, with everything that was kept"),
    figure(significant(bits), "bits per quantized weight, scales included"),
    figure(`${decibel(sqnrDb)} dB`, "signal to quantization noise"),
    figure(milliseconds(ms), `on ${backend}, in this tab`),
  );

const head = [
  "Tensor",
  "Stored as",
  "Shape",
  { number: "Before" },
  { number: "After" },
  { number: "SQNR" },
  { number: "RMS error" },
  { number: "Largest" },
  "Why",
];

const figure = (value: string, says: string): HTMLElement =>
  html("div", {}, html("dt", {}, says), html("dd", {}, value));

/** Two bars on one scale. */
function sizes(before: number, after: number): HTMLElement {
  const bar = (name: string, count: number) => {
    const filled = html("span", { class: "bar" });
    filled.style.width = `${(100 * count) / Math.max(before, after)}%`;
    return html("div", { class: name }, filled, html("span", { class: "bar-label" }, `${bytes(count)} ${name}`));
  };
  return html("div", { class: "sizes" }, bar("before", before), bar("after", after));
}

/** One file is named after the format; the shards of a model keep the names that their index knows. */
const named = (files: readonly ResultFile[], single: boolean, source: string, format: string): ResultFile[] =>
  files.map(({ name, file }) => ({
    name: single && name.endsWith(".safetensors") ? resultName(source, format) : name,
    file,
  }));

const sizeOf = ({ shape }: TensorReport): number => shape.reduce((product, dimension) => product * dimension, 1);

function bitsOf(weights: readonly TensorReport[]): number {
  const bits = weights.reduce((sum, tensor) => sum + sizeOf(tensor) * tensor.bitsPerWeight!, 0);
  return (
    bits /
    Math.max(
      1,
      weights.reduce((sum, tensor) => sum + sizeOf(tensor), 0),
    )
  );
}

/** All weights as one. */
function sqnrOf(weights: readonly TensorReport[]): number {
  let [noise, signal] = [0, 0];
  for (const tensor of weights) {
    const { rmse, sqnrDb } = tensor.error!;
    const energy = rmse ** 2 * sizeOf(tensor);
    noise += energy;
    signal += energy === 0 ? 0 : energy * 10 ** (sqnrDb / 10);
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}

const commandNote = (command: string): HTMLElement =>
  html("p", { class: "aside" }, "The same bytes from a terminal: ", html("code", {}, command));
