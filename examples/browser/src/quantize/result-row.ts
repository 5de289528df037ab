/** One tensor of a result. */
import type { TensorReport, WeightError } from "@halfbyte/core";
import { cells, html } from "../dom.js";
import { bytes, decibel, shape, significant } from "../say.js";
import { dotted } from "../table-view.js";
import type { TensorFigures } from "./element-errors.js";

export function resultRow(
  tensor: TensorReport,
  figures: ReadonlyMap<string, TensorFigures>,
  select: (name: string) => void,
): HTMLElement {
  const { name, dtype, shape: dimensions, bytesIn, bytesOut, action, reason, error } = tensor;
  const sizes = [{ number: bytes(bytesIn) }, { number: bytes(bytesOut) }];
  return html(
    "tr",
    action === "copied" ? { class: "kept" } : { "data-tensor": name },
    html("th", { scope: "row" }, figures.has(name) ? selector(name, select) : dotted(name)),
    ...cells("td", [dtype, shape(dimensions), ...sizes]),
    ...(error ? errorCells(error) : [html("td", { colspan: 3, class: "number" }, "kept as it is")]),
    ...cells("td", [reason]),
  );
}

function selector(name: string, select: (name: string) => void): HTMLElement {
  const button = html("button", { type: "button", class: "link", "aria-pressed": "false" }, dotted(name));
  button.addEventListener("click", () => select(name));
  return button;
}

const errorCells = ({ sqnrDb, rmse, maxAbs }: WeightError): HTMLElement[] => [
  html("td", { class: "number" }, gauge(sqnrDb), `${decibel(sqnrDb)}${Number.isFinite(sqnrDb) ? " dB" : ""}`),
  ...cells("td", [{ number: significant(rmse) }, { number: significant(maxAbs) }]),
];

/** From 0 to 48 dB, which int8 reaches. */
function gauge(sqnrDb: number): HTMLElement {
  const filled = html("span", { class: "gauge", "aria-hidden": "true" });
  filled.style.width = `${Math.max(0, Math.min(1, sqnrDb / 48)) * 2.5}rem`;
  return filled;
}
