/** The values a format can store, on a line from −1 to 1; with counts, how often a model uses each. */
import type { Format } from "@halfbyte/core";
import { html, svg } from "../dom.js";
import { counted, percent } from "../say.js";

const [width, height] = [600, 72];

/** Children of a figure. */
export function codebookFigure(
  { code, bits, scales }: Pick<Format, "code" | "bits" | "scales">,
  name: string,
  uses?: Uint32Array,
): Node[] {
  const levels = scales === "row" ? evenLevels() : Float32Array.from(code);
  const heights = uses ? shares(uses) : Array.from(levels, () => 0.5);
  const barWidth = bits === 4 ? 9 : 1.4;
  const bars = Array.from(levels, (level, index) => bar(level, heights[index]!, barWidth));
  const label = uses ? `Use of the codes of ${name}: ${spread(uses)}` : `The ${levels.length} values of ${name}`;
  const image = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": label,
      class: "levels",
      preserveAspectRatio: "none",
    },
    svg("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "axis" }),
    ...bars,
  );
  return [
    image,
    html("div", { class: "scale", "aria-hidden": "true" }, ...["−1", "0", "1"].map((text) => html("span", {}, text))),
  ];
}

/** −127 … 127 in units of the row's largest value; −128 is never written. */
const evenLevels = (): Float32Array => Float32Array.from({ length: 256 }, (_, index) => (index - 128) / 127);

function bar(level: number, share: number, barWidth: number): SVGElement {
  const x = ((Math.max(-1, level) + 1) / 2) * (width - barWidth);
  const size = share * (height - 1);
  return svg("rect", { x, y: height - 1 - size, width: barWidth, height: size });
}

/** Of the most used code. */
function shares(uses: Uint32Array): number[] {
  const most = Math.max(1, ...uses);
  return Array.from(uses, (count) => count / most);
}

/** Bits that the codes really carry: what a perfect coder would need. */
export function entropy(uses: Uint32Array): number {
  const total = uses.reduce((sum, count) => sum + count, 0);
  return uses.reduce((bits, count) => (count === 0 ? bits : bits - (count / total) * Math.log2(count / total)), 0);
}

function spread(uses: Uint32Array): string {
  const total = uses.reduce((sum, count) => sum + count, 0);
  const used = uses.filter((count) => count > 0).length;
  return `${counted(used, "code")} in use, the most frequent for ${percent(Math.max(...uses) / Math.max(1, total))} of the weights`;
}
