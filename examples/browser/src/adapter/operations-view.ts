/** The table of kernels: which runs each operation, on WebGPU and on the CPU, and what its self-test found. */
import { cells, html } from "../dom.js";
import { milliseconds, sentence } from "../say.js";
import { scrollingTable } from "../table-view.js";
import type { AdapterReport, OperationVerdict } from "./adapter-calls.js";

export function operationsTable({ webgpu, cpu }: AdapterReport["operations"]): HTMLElement {
  const ops = [...new Set([...cpu, ...webgpu].map(({ op }) => op))];
  const isTimed = webgpu.some(({ ns }) => ns !== undefined);
  const rows = ops.flatMap((op) => operationRows(op, of(webgpu, op), of(cpu, op), isTimed));
  const time = isTimed ? [{ number: "Time" }] : [];
  const head = ["Operation", "WebGPU kernel", "Variant", "Self-test", ...time, "CPU kernel here"];
  const table = scrollingTable("Operations and their kernels", head, rows);
  table.classList.add("whole");
  return html("div", { class: "kernels" }, html("h3", {}, "Kernels"), table);
}

const of = (verdicts: readonly OperationVerdict[], op: string): OperationVerdict[] =>
  verdicts.filter((verdict) => verdict.op === op);

/** A row for every variant; the operation and the CPU's kernel stand once. */
function operationRows(
  op: string,
  webgpu: readonly OperationVerdict[],
  cpu: readonly OperationVerdict[],
  isTimed: boolean,
): HTMLElement[] {
  const variants = webgpu.length > 0 ? webgpu : [{ op, verdict: "unavailable" } as const];
  const span = { rowspan: variants.length };
  return variants.map((verdict, index) =>
    html(
      "tr",
      { "data-op": op },
      ...(index === 0 ? [html("th", { scope: "rowgroup", ...span }, op)] : []),
      ...variantCells(verdict, isTimed),
      ...(index === 0 ? [html("td", span, cpu.map(({ variant }) => variant ?? "none").join(", "))] : []),
    ),
  );
}

const marks = { passed: "good", demoted: "bad", unavailable: "", untested: "warn" } as const;

const variantCells = ({ kernel, variant, verdict, reason, ns }: OperationVerdict, isTimed: boolean): HTMLElement[] => [
  ...cells("td", [kernel ?? "–", variant ?? "–"]),
  html("td", {}, html("span", { class: `tag ${marks[verdict]}` }, verdict), reason && ` ${sentence(reason.message)}`),
  ...cells("td", isTimed ? [{ number: ns === undefined ? "" : milliseconds(ns / 1e6) }] : []),
];
