import { describe, expect, it } from "vitest";
import { burstOf, interleave, roundsOf } from "../src/measure/interleave.js";
import { median, relativeError } from "../src/measure/statistics.js";
import type { Subject } from "../src/measure/subject.js";

describe("median", () => {
  it("is the middle of an odd number of values, whatever their order", () => {
    expect(median([9, 1, 100])).toBe(9);
  });

  it("is the mean of the two in the middle of an even number", () => {
    expect(median([4, 1, 2, 50])).toBe(3);
  });

  it("does not change its argument", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it("of nothing is an error", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("relativeError", () => {
  it("is the RMS of the difference by the RMS of the truth", () => {
    expect(relativeError([3, 4.5], [3, 4])).toBeCloseTo(0.5 / 5, 12);
  });

  it("is zero for equal values, zeros included", () => {
    expect(relativeError([0, 0], [0, 0])).toBe(0);
  });

  it("refuses lists of different lengths", () => {
    expect(() => relativeError([1], [1, 2])).toThrow(RangeError);
  });
});

describe("interleave", () => {
  it("lets subjects take turns", async () => {
    const order: string[] = [];
    const times = await interleave([slow("a", order), slow("b", order)], { rounds: 3, warm: false });
    // The first run of each tells its cost.
    expect(order.join("")).toBe("ababab".padStart(8, "ab"));
    expect(times.map((own) => own.length)).toEqual([3, 3]);
  });

  it("gives fast subjects bursts and slow ones fewer rounds", () => {
    expect(burstOf(1e5)).toBe(20);
    expect(burstOf(5e6)).toBe(2);
    expect(burstOf(1e9)).toBe(1);
    expect(roundsOf(1e6, 11)).toBe(11);
    expect(roundsOf(5e8, 11)).toBe(3);
    expect(roundsOf(5e9, 11)).toBe(1);
  });
});

/** Says that it takes 100 ms. */
function slow(name: string, order: string[]): Subject {
  return {
    async sample(count) {
      order.push(name);
      return Array.from({ length: count }, () => 1e8);
    },
  };
}
