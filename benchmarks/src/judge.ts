/** Holds rows to their targets. Some measures look at two rows, so all of them must have been measured. */
import type { Row, Verdict } from "./report/row.js";
import { keyOf, type Spec } from "./spec.js";
import { type Goal, type Measure, type Target, targets } from "./targets.js";

export interface MeasuredRow {
  readonly spec: Spec;
  readonly row: Row;
}

/** The rows with the verdicts of the targets that apply. */
export function judge(measured: readonly MeasuredRow[], table: readonly Target[] = targets): Row[] {
  return measured.map(({ spec, row }) => {
    const applying = table.filter(({ cases }) => cases.some((wanted) => keyOf(wanted) === keyOf(spec)));
    if (applying.length === 0) return row;
    const verdicts = applying.flatMap(({ what, goals }) =>
      goals.map((goal) => verdictOf(what, goal, { spec, row }, measured)),
    );
    return { ...row, target: applying.map(({ what }) => what).join("; "), targetMet: metBy(verdicts), verdicts };
  });
}

/** One that is missed decides; one that cannot be said leaves the answer open. */
function metBy(verdicts: readonly Verdict[]): boolean | null {
  if (verdicts.some(({ met }) => met === false)) return false;
  return verdicts.every(({ met }) => met === true) ? true : null;
}

function verdictOf(target: string, { measure, bound }: Goal, of: MeasuredRow, all: readonly MeasuredRow[]): Verdict {
  const said = { target, measure: sayMeasure(measure), bound: sayBound(bound) };
  const figure = of.row.invalid ?? figureOf(measure, of, all);
  if (typeof figure === "string") return { ...said, figure: null, ratio: null, met: null, reason: figure };
  const ratio = "atLeast" in bound ? figure / bound.atLeast : bound.atMost / figure;
  return { ...said, figure, ratio, met: ratio >= 1 };
}

const sayMeasure = (measure: Measure): string => ("peer" in measure ? `${measure.kind} ${measure.peer}` : measure.kind);
const sayBound = (bound: Goal["bound"]): string => ("atLeast" in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`);

/** The figure, or why there is none. */
function figureOf(measure: Measure, { spec, row }: MeasuredRow, all: readonly MeasuredRow[]): number | string {
  const { shape, medianNs, floor, ratioToFloor, unroundedError } = row;
  const elements = shape.n * shape.k;
  switch (measure.kind) {
    case "share of floor":
      return ratioToFloor ?? "no floor was measured";
    case "microseconds":
      return medianNs / 1000;
    case "microseconds above the floor":
      return floor ? (medianNs - floor.medianNs) / 1000 : "no floor was measured";
    case "times the floor's time":
      return floor ? medianNs / floor.medianNs : "no floor was measured";
    case "giga-elements per second":
      return elements / medianNs;
    case "multiple of the f32 peak":
      return multipleOfPeak(row);
    case "relative error before the output is rounded":
      return unroundedError ?? "no error was measured";
    case "times as fast as":
      return peerFigure(row, measure.peer, ({ ratio }) => ratio);
    case "times less error than":
      return peerFigure(
        row,
        measure.peer,
        (peer) => (peer.relativeError ?? Number.NaN) / (unroundedError ?? Number.NaN),
      );
    case "speed-up by threads":
      return against(all, { ...spec, threads: 1 }, row, (one) => one.medianNs / medianNs);
    case "share of the floor that 4096² reaches":
      return against(
        all,
        { ...spec, shape: { ...shape, n: 4096, k: 4096 } },
        row,
        (square) => (ratioToFloor ?? Number.NaN) / (square.ratioToFloor ?? Number.NaN),
      );
  }
}

function multipleOfPeak({ otherFloors, floor, medianNs }: Row): number | string {
  const peak = [floor, ...otherFloors].find((figure) => figure?.kind === "fma-f32");
  return peak ? peak.medianNs / medianNs : "the f32 peak was not measured";
}

function peerFigure(
  { peers, notMeasured }: Row,
  name: string,
  figure: (peer: Row["peers"][number]) => number,
): number | string {
  const peer = peers.find((one) => one.name === name);
  if (peer) return orReason(figure(peer), `${name} has no such figure`);
  return notMeasured.find((one) => one.name === name)?.reason ?? `${name} was not measured`;
}

/** The row of another case, with outputs held the same way. */
function against(
  all: readonly MeasuredRow[],
  wanted: Spec,
  { memory }: Row,
  figure: (other: Row) => number,
): number | string {
  const other = all.find(({ spec, row }) => keyOf(spec) === keyOf(wanted) && row.memory === memory);
  return other ? orReason(figure(other.row), "no floor was measured") : "the case to compare with was not measured";
}

const orReason = (figure: number, reason: string): number | string => (Number.isFinite(figure) ? figure : reason);
