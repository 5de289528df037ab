/** The report for people. */
import Table from "cli-table3";
import type { MachineFloor } from "../floors/machine-floors.js";
import type { Dimensions, SuiteName } from "../spec.js";
import type { Adapter, BundleSize, Machine, PeerFigure, Report, Row, Verdict } from "./row.js";

/** Prints the machine, the rows suite by suite, the targets, and what is missing. */
export function printReport(report: Report): void {
  for (const line of machineLines(report)) console.log(line);
  for (const suite of new Set(report.rows.map((row) => row.suite))) printSuite(suite, report);
  printVerdicts(report);
  for (const bundle of report.bundles ?? []) console.log(sayBundle(bundle));
  for (const { case: name, reason } of report.failures) console.log(`could not be measured: ${name}: ${reason}`);
}

function machineLines({ machine, versions }: Report): string[] {
  const { cpu, cores, memoryBytes, os } = machine;
  return [
    `${cpu}, ${cores} cores, ${(memoryBytes / 1e9).toFixed(0)} GB, ${os}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join("; "),
    ...(machine.adapter ? adapterLines(machine.adapter) : []),
    ...floorLines(machine),
  ];
}

const adapterLines = (adapter: Adapter): string[] => [
  `adapter: ${sayAdapter(adapter)}; ${adapter.host}`,
  `features: ${adapter.features.join(", ") || "none"}; ${Object.entries(adapter.limits)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")}`,
];

/** With the word that it is no GPU, where it is none. */
export function sayAdapter({ vendor, architecture, device, description, isSoftware }: Adapter): string {
  const name = [...new Set([vendor, architecture, device, description])].filter((part) => part !== "").join(" ");
  return `${name || "unnamed"}${isSoftware ? " (SOFTWARE ADAPTER: it computes on the CPU)" : ""}`;
}

/** What a table of figures begins with where a GPU, or what plays one, was measured. */
const onAdapter = ({ adapter }: Machine): string => (adapter ? `, ${sayAdapter(adapter)}` : "");

const sayBundle = ({ what, bytes, gzipBytes, gzipLimit }: BundleSize): string =>
  `${what}: ${bytes} bytes minified, ${gzipBytes} gzipped; target < ${gzipLimit}: ${gzipBytes < gzipLimit ? "met" : "MISSED"}`;

function floorLines({ floors, floorsMissing, adapter }: Machine): string[] {
  if (!floors) return [`floors: none, ${floorsMissing}`];
  const say = ({ kind, temperature, rate, unit }: MachineFloor) =>
    `${kind}${kind === "read" ? ` ${temperature}` : ""} ${rate.toFixed(rate < 10 ? 1 : 0)} ${unit}`;
  return [...new Set(floors.map(({ threads }) => threads))].map((threads) => {
    const own = floors.filter((floor) => floor.threads === threads);
    const where = adapter ? "of the adapter" : `${threads} thread${threads === 1 ? "" : "s"}`;
    return `floors, ${where}: ${own.map(say).join(", ")}`;
  });
}

function printSuite(suite: SuiteName, { rows, machine }: Report): void {
  const own = rows.filter((row) => row.suite === suite);
  console.log(`\n${suite}${onAdapter(machine)}`);
  const head = [
    "case",
    "shape",
    "dtype",
    "thr",
    "",
    "memory",
    "tier",
    "timing",
    "median",
    "min",
    "rate",
    "floor",
    "of floor",
    "error",
    "peers (× our time)",
  ];
  printTable(head, own.map(cells), [8, 9, 10, 12, 13]);
  const missing = new Map(own.flatMap(({ notMeasured }) => notMeasured.map(({ name, reason }) => [name, reason])));
  for (const [name, reason] of missing) console.log(`  peer not measured: ${name}: ${reason}`);
  for (const variant of new Set(
    own.flatMap((row) => (row.variant ? [`${sayShape(row.shape)} ${row.dtype}: ${row.variant}`] : [])),
  ))
    console.log(`  ran ${variant}`);
  for (const { invalid, case: name } of own) if (invalid) console.log(`  invalid: ${name}: ${invalid}`);
}

function cells(row: Row): string[] {
  const { floor, ratioToFloor, relativeError, peers } = row;
  return [
    [row.case, row.format, row.accuracy].filter(Boolean).join(" "),
    sayShape(row.shape),
    row.dtype,
    String(row.threads),
    row.temperature,
    row.memory ?? "",
    row.tier,
    row.timing ?? "wall clock",
    duration(row.medianNs),
    duration(row.minNs),
    rateOf(row),
    floor ? `${floor.kind} ${duration(floor.medianNs)}` : "",
    ratioToFloor === null ? "" : `${(100 * ratioToFloor).toFixed(0)} %${row.invalid ? " !" : ""}`,
    relativeError === null ? "" : relativeError.toExponential(1),
    peers.map(sayPeer).join("\n"),
  ];
}

export const sayShape = ({ m, n, k }: Dimensions): string => (m === 0 ? "" : `${m}x${n}x${k}`);

const sayPeer = ({ name, ratio, relativeError }: PeerFigure): string =>
  `${name} ${ratio.toFixed(ratio < 10 ? 2 : 0)}${relativeError === null ? "" : ` (${relativeError.toExponential(0)})`}`;

const units = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "us"],
  [1, "ns"],
] as const;

/** Three digits and a unit. */
export function duration(nanoseconds: number): string {
  const [size, unit] = units.find(([size]) => nanoseconds >= size) ?? [1, "ns"];
  return `${Number((nanoseconds / size).toPrecision(3))} ${unit}`;
}

/** What a user counts in. */
function rateOf({ suite, shape: { m, n, k }, medianNs }: Row): string {
  switch (suite) {
    case "decode":
      return `${(1e9 / medianNs).toFixed(1)} tokens/s`;
    case "gemm-4bit":
    case "int8":
      return `${((2 * m * n * k) / medianNs).toFixed(0)} GOP/s`;
    case "checkpoint":
    case "startup":
      return "";
    default:
      return `${((n * k) / medianNs).toFixed(2)} Gelem/s`;
  }
}

function printVerdicts({ rows, machine }: Report): void {
  const judged = rows.filter(({ verdicts }) => verdicts.length > 0);
  if (judged.length === 0) return;
  console.log(`\ntargets${onAdapter(machine)}`);
  const lines = judged.flatMap((row) => row.verdicts.map((verdict) => verdictCells(row, verdict)));
  printTable(
    ["target", "shape", "dtype", "thr", "memory", "timing", "measure", "figure", "bound", "ratio", ""],
    lines,
    [7, 9],
  );
  const all = judged.flatMap(({ verdicts }) => verdicts);
  const count = (met: boolean | null) => all.filter((verdict) => verdict.met === met).length;
  console.log(`${count(true)} met, ${count(false)} missed, ${count(null)} unknown`);
}

function verdictCells(row: Row, { target, measure, figure, bound, ratio, met, reason }: Verdict): string[] {
  return [
    target,
    sayShape(row.shape),
    row.dtype,
    String(row.threads),
    row.memory ?? "",
    row.timing ?? "wall clock",
    measure,
    figure === null ? "" : String(Number(figure.toPrecision(3))),
    bound,
    ratio === null ? "" : ratio.toFixed(2),
    met === null ? `unknown: ${reason}` : met ? "met" : "MISSED",
  ];
}

/** Without rules; columns are separated by two spaces. */
function printTable(head: readonly string[], rows: readonly string[][], numeric: readonly number[]): void {
  const places = ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"];
  const inner = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
  const blank = Object.fromEntries([...places, ...inner].map((place) => [place, ""]));
  const table = new Table({
    head: [...head],
    chars: { ...blank, middle: "  " },
    colAligns: head.map((_, i) => (numeric.includes(i) ? "right" : "left")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  table.push(...rows);
  console.log(table.toString().replace(/ +$/gm, ""));
}
