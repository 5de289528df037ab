/** The benchmark: run, stop, wait while the tab is hidden, and its table. */
import type { Caller } from "../calls.js";
import { cells, html, part } from "../dom.js";
import { milliseconds, shape, significant } from "../say.js";
import { showFailure } from "../show-failure.js";
import { scrollingTable } from "../table-view.js";
import type { AdapterCalls, BenchmarkProgress, Refusal, Timing } from "./adapter-calls.js";

const sizes = [1024, 2048, 4096] as const;

type Row = Timing | Refusal;

export function showBenchmark(call: Caller<AdapterCalls>): void {
  tellVisibility(call);
  const [start, stop] = [part("benchmark", HTMLButtonElement), part("benchmark-stop", HTMLButtonElement)];
  let running: AbortController | undefined;
  start.addEventListener("click", async () => {
    running = new AbortController();
    [start.hidden, stop.hidden] = [true, false];
    stop.focus();
    await runBenchmark(call, running.signal);
    [start.hidden, stop.hidden] = [false, true];
  });
  stop.addEventListener("click", () => running?.abort());
}

/** The worker cannot see it. */
function tellVisibility(call: Caller<AdapterCalls>): void {
  const tell = () => void call("visibility", { visible: document.visibilityState === "visible" });
  document.addEventListener("visibilitychange", tell);
  tell();
}

async function runBenchmark(call: Caller<AdapterCalls>, signal: AbortSignal): Promise<void> {
  const [state, failure] = [part("benchmark-state", HTMLElement), part("benchmark-failure", HTMLElement)];
  const rows: Row[] = [];
  let doing = "";
  const onProgress = (told: BenchmarkProgress) => {
    if ("doing" in told) doing = told.doing;
    if ("timing" in told) {
      rows.push(told.timing);
      showRows(rows);
    }
    state.textContent =
      "paused" in told && told.paused ? "Paused while this tab is hidden: its times would be wrong." : doing;
  };
  failure.replaceChildren();
  showRows(rows);
  try {
    await call("benchmark", { sizes }, { signal, onProgress });
    state.textContent = "Done.";
  } catch (thrown) {
    state.textContent = "";
    showFailure(failure, thrown);
  }
}

function showRows(rows: readonly Row[]): void {
  const fastest = Math.max(0, ...rows.map((row) => ("ms" in row ? row.gigabytesPerSecond : 0)));
  const head = [
    "Shape",
    "Backend",
    "Kernel",
    "Variant",
    { number: "Time" },
    { number: "GB/s" },
    { number: "Deviation" },
  ];
  const table = scrollingTable(
    "Benchmark of products",
    head,
    rows.map((row) => ("ms" in row ? timingRow(row, fastest) : refusalRow(row))),
  );
  part("benchmark-table", HTMLElement).replaceChildren(...(rows.length > 0 ? [table] : []));
}

const shapeOf = ({ rows, columns }: Row): string => (rows === 0 ? "all" : shape([1, columns, rows]));

function timingRow(timing: Timing, fastest: number): HTMLElement {
  const bar = html("span", { class: "gauge", "aria-hidden": "true" });
  bar.style.width = `${(timing.gigabytesPerSecond / fastest) * 5}rem`;
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, shapeOf(timing)),
    html(
      "td",
      {},
      timing.backend,
      timing.isSoftware ? html("span", { class: "tag warn beside" }, "software adapter") : undefined,
    ),
    ...cells("td", [timing.kernel, timing.variant, { number: milliseconds(timing.ms) }]),
    html("td", { class: "number" }, bar, significant(timing.gigabytesPerSecond)),
    ...cells("td", [{ number: timing.deviation.toExponential(1) }]),
  );
}

const refusalRow = (refusal: Refusal): HTMLElement =>
  html(
    "tr",
    { class: "kept" },
    html("th", { scope: "row" }, shapeOf(refusal)),
    html("td", {}, refusal.backend),
    html(
      "td",
      { colspan: 5 },
      `${refusal.reason.message} ${refusal.reason.remedy} `,
      html("code", {}, refusal.reason.code),
    ),
  );
