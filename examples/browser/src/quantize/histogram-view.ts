/** How far single weights moved, as a histogram. */
import { html, svg } from "../dom.js";
import { percent } from "../say.js";
import { errorBins } from "./element-errors.js";

const [width, height, mostBars] = [600, 150, 61];

export interface Histogram {
  /** Children of a figure. */
  readonly children: readonly Node[];
  /** The share of elements that moved further than the axis reaches. */
  readonly beyond: number;
}

/** The axis reaches as far as it must for 99 % of the elements. */
export function histogramFigure(errors: Uint32Array): Histogram {
  const half = reach(errors, 0.99);
  const bars = rebinned(errors, half);
  const most = Math.max(1, ...bars);
  const step = width / bars.length;
  const rects = bars.map((count, index) => {
    const size = (count / most) * (height - 1);
    return svg("rect", { x: index * step + step * 0.08, y: height - 1 - size, width: step * 0.84, height: size });
  });
  const edge = (half * 2 * errorBins.limit) / errorBins.count;
  const label = `Errors of single weights: ${percent(within(errors, half / 2))} are smaller than ${percent(edge / 2)} of the RMS`;
  const image = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "bars", preserveAspectRatio: "none" },
    svg("line", { x1: width / 2, x2: width / 2, y1: 0, y2: height, class: "middle" }),
    ...rects,
    svg("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "axis" }),
  );
  const ends = [`−${percent(edge)}`, "0", percent(edge)];
  const scale = html("div", { class: "scale", "aria-hidden": "true" }, ...ends.map((text) => html("span", {}, text)));
  return { children: [image, scale], beyond: 1 - within(errors, half) };
}

const total = (errors: Uint32Array): number => errors.reduce((sum, count) => sum + count, 0);

/** The share of elements at most so many bins from the middle. */
function within(errors: Uint32Array, half: number): number {
  const middle = errorBins.count / 2;
  const inside = errors.subarray(Math.max(0, middle - half), middle + half);
  return total(inside) / Math.max(1, total(errors));
}

/** Bins from the middle that hold this share. */
function reach(errors: Uint32Array, share: number): number {
  let half = Math.ceil(mostBars / 2);
  while (half < errorBins.count / 2 && within(errors, half) < share) half = Math.ceil(half * 1.1);
  return Math.min(half, errorBins.count / 2);
}

function rebinned(errors: Uint32Array, half: number): number[] {
  const first = errorBins.count / 2 - half;
  const perBar = (2 * half) / mostBars;
  return Array.from({ length: mostBars }, (_, bar) => {
    const [begin, end] = [first + bar * perBar, first + (bar + 1) * perBar];
    return partialSum(errors, begin, end);
  });
}

/** Bins cut by an edge count as far as they reach in. */
function partialSum(errors: Uint32Array, begin: number, end: number): number {
  let sum = 0;
  for (let bin = Math.floor(begin); bin < end && bin < errors.length; bin++)
    sum += errors[bin]! * (Math.min(end, bin + 1) - Math.max(begin, bin));
  return sum;
}
