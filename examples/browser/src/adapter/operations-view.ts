/** The table of kernels: which runs each operation, on WebGPU and on the CPU, and what its self-test found. */
import { cells, html } from "../dom.js";
import { tensorTable } from "../quantize/plan-view.js";
import type { AdapterReport, OperationVerdict } from "./adapter-calls.js";

export function operationsTable({ webgpu, cpu }: AdapterReport["operations"]): HTMLElement {
  const ops = [...new Set([...cpu, ...webgpu].map(({ op }) => op))];
  const rows = ops.flatMap((op) => operationRows(op, of(webgpu, op), of(cpu, op)));
  const head = ["Operation", "WebGPU kernel", "Variant", "Self-test", { number: "Time" }, "CPU kernel here"];
  return html("div", {}, html("h3", {}, "Kernels"), tensorTable("Operations and their kernels", head, rows));
}

const of = (verdicts: readonly OperationVerdict[], op: string): OperationVerdict[] =>
  verdicts.filter((verdict) => verdict.op === op);

/** A row for every variant; the operation and the CPU's kernel stand once. */
function operationRows(
  op: string,
  webgpu: readonly OperationVerdict[],
  cpu: readonly OperationVerdict[],
): HTMLElement[] {
  const variants = webgpu.length > 0 ? webgpu : [{ op, verdict: "unavailable", reason: "WebGPU is not open" } as const];
  const span = { rowspan: variants.length };
  return variants.map((verdict, index) =>
    html(
      "tr",
      index > 0 ? { class: "continued" } : {},
      ...(index === 0 ? [html("th", { scope: "rowgroup", ...span }, op)] : []),
      ...variantCells(verdict),
      ...(index === 0 ? [html("td", span, cpu.map(({ variant, reason }) => variant ?? reason ?? "").join(", "))] : []),
    ),
  );
}

const marks = { passed: "good", untested: "", demoted: "bad", unavailable: "" } as const;

const variantCells = ({ kernel, variant, verdict, reason, ns }: OperationVerdict): HTMLElement[] => [
  ...cells("td", [kernel ?? "–", variant ?? "–"]),
  html("td", {}, html("span", { class: `tag ${marks[verdict]}` }, verdict), ...(reason ? [` ${reason}`] : [])),
  ...cells("td", [{ number: ns === undefined ? "" : `${(ns / 1000).toFixed(1)} µs` }]),
];
