/** Cutting a product into calls of a kernel, none of which does more than its budget. */
import type { Budget } from "./engine.js";

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Outputs in `outer` for rows of x in `rows`, summed over `depth`. */
export interface Slice {
  readonly outer: Range;
  readonly rows: Range;
  readonly depth: Range;
}

export function* slices(outer: number, rows: number, depth: number, budget: Budget): Generator<Slice> {
  const depthStep = Math.max(1, Math.min(depth, budget.depth));
  const outerStep = within(budget.steps / depthStep, Math.min(outer, budget.extent));
  const rowStep = within(budget.steps / (depthStep * outerStep), Math.min(rows, budget.extent));
  for (const rowRange of ranges(rows, rowStep))
    for (const outerRange of ranges(outer, outerStep))
      for (const depthRange of ranges(depth, depthStep)) yield { outer: outerRange, rows: rowRange, depth: depthRange };
}

/** [0, count) in pieces of `step`. */
export function* ranges(count: number, step: number): Generator<Range> {
  for (let begin = 0; begin < count; begin += step) yield { begin, end: Math.min(count, begin + step) };
}

const within = (wanted: number, most: number): number => Math.max(1, Math.min(Math.floor(wanted), most));
