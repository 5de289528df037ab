import { expect, it } from "vitest";
import { floatsOf, patterns } from "../exact-patterns.js";
import { roundsOtherwise, roundsToNearest } from "./float-arithmetic.js";

const ordinary = (values: Float32Array): number[] =>
  [...values].filter((value) => Math.abs(value) > 1e-18 && Math.abs(value) < 1e18);
const [a, b] = [1, 2].map((seed) => ordinary(floatsOf(patterns(20_000, seed))));
const pairs = a!.slice(0, 5000).map((value, i) => [value, b![i]!] as const);

const exact = {
  add: (x: bigint, y: bigint) => x + y,
  subtract: (x: bigint, y: bigint) => x - y,
  multiply: (x: bigint, y: bigint) => x * y,
} as const;

/** The value times 2^200, which makes every one of these an integer. */
function scaled(value: number): bigint {
  const exponent = Math.max(0, Math.ceil(Math.log2(Math.abs(value) || 1)));
  return BigInt(value * 2 ** (200 - exponent)) << BigInt(exponent);
}

it.for(Object.entries(exact))(
  "%s: what fits is exact, all else is on the other side of the exact result",
  ([name, operation]) => {
    const key = name as keyof typeof exact;
    for (const [x, y] of pairs) {
      const one = key === "multiply" ? 200n : 0n;
      const wanted = operation(scaled(x), scaled(y));
      const [near, other] = [roundsToNearest, roundsOtherwise].map(({ [key]: f }) => scaled(f(x, y)) << one);
      if (near === wanted) expect(other).toBe(wanted);
      else
        expect({ x, y, opposite: near! < wanted! === other! > wanted! && other !== wanted }).toEqual({
          x,
          y,
          opposite: true,
        });
    }
  },
);

it("takes subnormal numbers for zero", () => {
  expect(roundsOtherwise.add(2 ** -130, 0)).toBe(0);
  expect(roundsOtherwise.multiply(2 ** -100, 2 ** -100)).toBe(0);
  expect(roundsOtherwise.divide(1, 3)).not.toBe(Math.fround(1 / 3));
});
