/** What would be done with every tensor, and why, before anything is done. */
import { cells, html } from "../dom.js";
import { bytes, counted, shape } from "../say.js";
import { dotted, scrollingTable } from "../table-view.js";
import type { Plan, PlannedRow } from "./quantize-calls.js";

export function showPlan(place: HTMLElement, { tensors }: Plan): void {
  const chosen = tensors.filter(({ quantize }) => quantize).length;
  place.replaceChildren(
    html("h2", { id: "plan-title" }, "What will be done"),
    html(
      "p",
      { class: "aside" },
      `${counted(chosen, "weight")} quantized, ${counted(tensors.length - chosen, "tensor")} kept.`,
    ),
    scrollingTable(
      "Tensors and what will be done with them",
      ["Tensor", "Stored as", "Shape", "Size", "What and why"],
      tensors.map(row),
    ),
  );
  place.hidden = false;
}

const row = ({ name, dtype, shape: dimensions, bytesIn, quantize, reason }: PlannedRow): HTMLElement =>
  html(
    "tr",
    quantize ? {} : { class: "kept" },
    html("th", { scope: "row" }, dotted(name)),
    ...cells("td", [dtype, shape(dimensions), { number: bytes(bytesIn) }]),
    html(
      "td",
      {},
      html("span", { class: quantize ? "tag chosen" : "tag" }, quantize ? "quantize" : "keep"),
      ` ${reason}`,
    ),
  );
