/** The runs of this visit, so that formats can be compared. */
import { cells, html } from "../dom.js";
import { bytes, decibel, milliseconds, significant } from "../say.js";
import { scrollingTable } from "../table-view.js";
import { described } from "./formats.js";
import type { FormatChoice } from "./quantize-calls.js";

export interface Run {
  readonly source: string;
  readonly choice: FormatChoice;
  readonly bytesOut: number;
  readonly bits: number;
  readonly sqnrDb: number;
  readonly ms: number;
}

const runs: Run[] = [];

/** The table of all runs; nothing while there is only this one. */
export function rememberRun(run: Run): HTMLElement {
  runs.push(run);
  if (runs.length < 2) return html("div");
  const head = ["File", "Format", ...["Size", "Bits per weight", "SQNR", "Time"].map((number) => ({ number }))];
  return html(
    "section",
    { "aria-labelledby": "runs-title" },
    html("h3", { id: "runs-title" }, "Tried so far"),
    scrollingTable("Runs of this visit", head, runs.map(row)),
  );
}

const row = ({ source, choice, bytesOut, bits, sqnrDb, ms }: Run): HTMLElement => {
  const figures = [bytes(bytesOut), significant(bits), `${decibel(sqnrDb)} dB`, milliseconds(ms)];
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, source),
    ...cells("td", [described(choice), ...figures.map((number) => ({ number }))]),
  );
};
