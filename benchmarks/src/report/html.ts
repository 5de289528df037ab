/** The report as a page: charts by vega-lite, everything inside the file, so that it opens offline. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { TopLevelSpec } from "vega-lite";
import type { Report, Row } from "./row.js";
import { duration, sayAdapter, sayShape } from "./table.js";

const require = createRequire(import.meta.url);

export function htmlOf(report: Report): string {
  const suites = [...new Set(report.rows.map((row) => row.suite))];
  const charts = suites.map((suite) =>
    chartOf(
      suite,
      report.rows.filter((row) => row.suite === suite),
    ),
  );
  return page(report, charts);
}

const caption = (row: Row): string => {
  const { format, dtype, shape, threads, temperature, memory, timing } = row;
  return [
    row.case,
    format,
    sayShape(shape),
    dtype,
    `${threads}T`,
    temperature,
    memory,
    timing === "wall clock" ? "" : timing,
  ]
    .filter(Boolean)
    .join(" ");
};

interface Bar {
  readonly case: string;
  readonly who: string;
  readonly microseconds: number;
}

/** Ours, the floor and each peer. */
function barsOf(row: Row): Bar[] {
  const bar = (who: string, nanoseconds: number): Bar => ({
    case: caption(row),
    who,
    microseconds: nanoseconds / 1000,
  });
  return [
    bar("halfbyte", row.medianNs),
    ...(row.floor ? [bar("floor", row.floor.medianNs)] : []),
    ...row.peers.map(({ name, medianNs }) => bar(name, medianNs)),
  ];
}

/** Times span decades: the scale is logarithmic, and bars are points. */
function chartOf(suite: string, rows: readonly Row[]): TopLevelSpec {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    title: suite,
    width: 760,
    data: { values: rows.flatMap(barsOf) },
    mark: { type: "point", filled: true, size: 70, tooltip: true },
    encoding: {
      y: { field: "case", type: "nominal", sort: null, title: null, axis: { labelLimit: 420 } },
      x: {
        field: "microseconds",
        type: "quantitative",
        scale: { type: "log" },
        title: "median, microseconds (logarithmic)",
      },
      color: { field: "who", type: "nominal", sort: null, title: null },
      shape: { field: "who", type: "nominal", sort: null, title: null },
    },
  };
}

function page(report: Report, charts: readonly TopLevelSpec[]): string {
  const { machine, versions, rows, failures } = report;
  const facts = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.os}`,
    ...(machine.adapter ? [sayAdapter(machine.adapter), machine.adapter.host] : []),
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ];
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>halfbyte benchmarks</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: 0.15rem 0.7rem; text-align: left; border-bottom: 1px solid #ddd; }
.number { text-align: right; font-variant-numeric: tabular-nums; } .missed { color: #b00020; } .met { color: #1b6e2b; }
</style>
<h1>halfbyte benchmarks</h1>
<p>${facts.map(safe).join("<br>")}</p>
${charts.map((_, i) => `<div id="chart${i}"></div>`).join("\n")}
${verdictTable(rows)}
${rowTable(rows)}
${failures.length > 0 ? `<h2>Could not be measured</h2><ul>${failures.map((one) => `<li>${safe(`${one.case}: ${one.reason}`)}</li>`).join("")}</ul>` : ""}
<script>${library("vega", "vega.min.js")}</script>
<script>${library("vega-lite", "vega-lite.min.js")}</script>
<script>
${JSON.stringify(charts).replaceAll("<", "\\u003c").replace(/^/, "const charts = ")};
charts.forEach((chart, i) => {
  const spec = vegaLite.compile(chart).spec;
  new vega.View(vega.parse(spec)).renderer("svg").initialize("#chart" + i).hover().runAsync();
});
</script>
</html>
`;
}

/** The browser build of a package. A closing tag inside it would end the script. */
function library(name: string, file: string): string {
  const folder = dirname(require.resolve(name));
  return readFileSync(join(folder, file), "utf8").replaceAll("</script", "<\\/script");
}

function rowTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const share = row.ratioToFloor === null ? "" : `${(100 * row.ratioToFloor).toFixed(0)} %`;
    const peers = row.peers.map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`).join(", ");
    return cells([caption(row), row.tier, peers], [duration(row.medianNs), duration(row.minNs), share]);
  });
  return table("Rows", ["case", "tier", "peers (× our time)"], ["median", "min", "of floor"], lines);
}

function verdictTable(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) =>
    row.verdicts.map(({ target, measure, figure, bound, met, reason }) => {
      const word = met === null ? `unknown: ${reason}` : met ? "met" : "missed";
      const shown = figure === null ? "" : String(Number(figure.toPrecision(3)));
      return cells([target, caption(row), measure, word], [shown, bound], met === null ? "" : word);
    }),
  );
  return lines.length > 0 ? table("Targets", ["target", "case", "measure", ""], ["figure", "bound"], lines) : "";
}

function table(title: string, words: readonly string[], numbers: readonly string[], lines: readonly string[]): string {
  const head = [
    ...words.map((word) => `<th>${word}</th>`),
    ...numbers.map((word) => `<th class="number">${word}</th>`),
  ];
  return `<h2>${title}</h2><table><tr>${head.join("")}</tr>${lines.join("\n")}</table>`;
}

const cells = (words: readonly string[], numbers: readonly string[], kind = ""): string =>
  `<tr class="${kind}">${words.map((word) => `<td>${safe(word)}</td>`).join("")}${numbers.map((word) => `<td class="number">${safe(word)}</td>`).join("")}</tr>`;

const safe = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
