import { describe, expect, it } from "vitest";
import { judge, type MeasuredRow } from "../src/judge.js";
import type { Row } from "../src/report/row.js";
import { keyOf, type Spec } from "../src/spec.js";
import { casesOf } from "../src/suites/index.js";
import { type Goal, type Target, targets } from "../src/targets.js";

const spec: Spec = {
  suite: "gemm-4bit",
  case: "gemm4bit",
  backend: "cpu",
  threads: 2,
  format: "nf4",
  dtype: "bfloat16",
  shape: { m: 1, n: 1000, k: 2000 },
  temperature: "warm",
  accuracy: null,
};

const row: Row = {
  ...spec,
  tier: "avx512",
  accuracy: "fast",
  memory: "pool",
  medianNs: 200_000,
  minNs: 190_000,
  runs: 5,
  floor: { kind: "read", medianNs: 150_000 },
  ratioToFloor: 0.75,
  invalid: null,
  otherFloors: [{ kind: "fma-f32", medianNs: 300_000 }],
  relativeError: 1e-3,
  unroundedError: 1e-4,
  peers: [{ name: "rival", version: "1", medianNs: 1_000_000, ratio: 5, relativeError: 6e-3 }],
  notMeasured: [{ name: "absent", reason: "absent is not installed." }],
  target: null,
  targetMet: null,
  verdicts: [],
};

const target = (...goals: Goal[]): Target => ({ what: "a target", cases: [spec], goals });

function verdictOf(goal: Goal, others: readonly MeasuredRow[] = [], own: Row = row) {
  return judge([{ spec, row: own }, ...others], [target(goal)])[0]!.verdicts[0]!;
}

describe("judge", () => {
  const goals: readonly [Goal, number, boolean][] = [
    [{ measure: { kind: "share of floor" }, bound: { atLeast: 0.7 } }, 0.75, true],
    [{ measure: { kind: "share of floor" }, bound: { atLeast: 0.8 } }, 0.75, false],
    [{ measure: { kind: "microseconds" }, bound: { atMost: 200 } }, 200, true],
    [{ measure: { kind: "microseconds above the floor" }, bound: { atMost: 49 } }, 50, false],
    [{ measure: { kind: "giga-elements per second" }, bound: { atLeast: 10 } }, 10, true],
    [{ measure: { kind: "multiple of the f32 peak" }, bound: { atLeast: 1.4 } }, 1.5, true],
    [{ measure: { kind: "times the floor's time" }, bound: { atMost: 2 } }, 4 / 3, true],
    [{ measure: { kind: "relative error before the output is rounded" }, bound: { atMost: 2e-4 } }, 1e-4, true],
    [{ measure: { kind: "times as fast as", peer: "rival" }, bound: { atLeast: 60 } }, 5, false],
    [{ measure: { kind: "times less error than", peer: "rival" }, bound: { atLeast: 40 } }, 60, true],
  ];

  it.each(goals)("%o", (goal, figure, met) => {
    const verdict = verdictOf(goal);
    expect(verdict.figure).toBeCloseTo(figure, 10);
    expect(verdict.met).toBe(met);
    expect(verdict.ratio! >= 1).toBe(met);
  });

  it("compares with the same case on one thread", () => {
    const goal: Goal = { measure: { kind: "speed-up by threads" }, bound: { atLeast: 1.8 } };
    const one = { spec: { ...spec, threads: 1 }, row: { ...row, threads: 1, medianNs: 380_000 } };
    expect(verdictOf(goal, [one])).toMatchObject({ figure: 1.9, met: true });
    expect(verdictOf(goal, [{ ...one, row: { ...one.row, memory: "into" } }]).figure).toBeNull();
  });

  it("compares the share of the floor with that at 4096 × 4096", () => {
    const goal: Goal = { measure: { kind: "share of the floor that 4096² reaches" }, bound: { atLeast: 0.85 } };
    const shape = { m: 1, n: 4096, k: 4096 };
    const square = { spec: { ...spec, shape }, row: { ...row, shape, ratioToFloor: 1 } };
    expect(verdictOf(goal, [square])).toMatchObject({ figure: 0.75, met: false });
  });

  it("says why a figure is missing", () => {
    const asFastAs = (peer: string): Goal => ({ measure: { kind: "times as fast as", peer }, bound: { atLeast: 1 } });
    expect(verdictOf(asFastAs("absent"))).toMatchObject({ met: null, reason: "absent is not installed." });
    expect(verdictOf(asFastAs("unheard of"))).toMatchObject({ met: null, reason: "unheard of was not measured" });
    const share: Goal = { measure: { kind: "share of floor" }, bound: { atLeast: 0.5 } };
    const floorless = { ...row, floor: null, ratioToFloor: null };
    expect(verdictOf(share, [], floorless)).toMatchObject({ met: null, reason: "no floor was measured" });
    expect(verdictOf(share, [], { ...row, invalid: "disturbed" })).toMatchObject({ met: null, reason: "disturbed" });
  });

  it("a row meets its target when it meets every goal", () => {
    const met: Goal = { measure: { kind: "microseconds" }, bound: { atMost: 300 } };
    const missed: Goal = { measure: { kind: "microseconds" }, bound: { atMost: 100 } };
    const unknown: Goal = { measure: { kind: "times as fast as", peer: "absent" }, bound: { atLeast: 1 } };
    const answer = (...given: Goal[]) => judge([{ spec, row }], [target(...given)])[0]!.targetMet;
    expect([answer(met), answer(met, missed), answer(met, unknown)]).toEqual([true, false, null]);
  });

  it("leaves rows without a target alone", () => {
    expect(judge([{ spec: { ...spec, threads: 7 }, row }], [target()])[0]).toBe(row);
  });
});

describe("targets", () => {
  it("name every case once per target", () => {
    for (const { cases } of targets) expect(new Set(cases.map(keyOf)).size).toBe(cases.length);
  });

  it("compare with cases that are measured in the same run", () => {
    const all = new Set(targets.flatMap(({ cases }) => cases.map(keyOf)));
    for (const { cases, goals } of targets)
      for (const { measure } of goals)
        for (const one of cases) {
          if (measure.kind === "speed-up by threads") expect(all).toContain(keyOf({ ...one, threads: 1 }));
          if (measure.kind === "share of the floor that 4096² reaches")
            expect(all).toContain(keyOf({ ...one, shape: { ...one.shape, n: 4096, k: 4096 } }));
        }
  });

  it("belong to cases of the suites", () => {
    const plain = casesOf("decode", { backend: "cpu", threads: [1, 2], gigabytes: 2 }).map(keyOf);
    const decode = targets.flatMap(({ cases }) => cases).filter(({ suite }) => suite === "decode");
    for (const one of decode) expect(plain).toContain(keyOf(one));
  });
});
