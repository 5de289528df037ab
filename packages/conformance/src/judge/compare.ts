/** Comparisons that name the first difference. Bits mean bits: the sign of zero and the payload of a NaN count. */
import { bitsAt, countOf, type Elements, numbersOf, widthOf } from "./elements.js";

/** A number where JSON can hold it exactly, else its text: `-0`, `NaN (0x7fc00001)`, `Infinity`. */
export type Shown = number | string;

export interface Difference {
  /** Flat index of the first element out of bounds; −1 when something else than an element differs. */
  readonly index: number;
  readonly expected: Shown;
  readonly found: Shown;
  /** The largest |found − expected| allowed, or `bits`. */
  readonly bound: Shown;
}

/** Both sides hold the same bits. */
export function differenceInBits(expected: Elements, found: Elements): Difference | undefined {
  const kind = differenceInKind(expected, found);
  if (kind) return kind;
  const byte = firstDifferingByte(expected.bytes, found.bytes);
  if (byte < 0) return undefined;
  const index = Math.floor(byte / widthOf(expected.dtype));
  return { index, expected: shown(expected, index), found: shown(found, index), bound: "bits" };
}

/** |found − expected| <= bound(index) for every element; NaN never is. */
export function differenceBeyond(
  expected: Float64Array,
  found: Float64Array,
  bound: (index: number) => number,
): Difference | undefined {
  if (expected.length !== found.length) return differenceInCount(expected.length, found.length);
  const index = expected.findIndex((value, i) => !(Math.abs(found[i]! - value) <= bound(i)));
  if (index < 0) return undefined;
  return { index, expected: json(expected[index]!), found: json(found[index]!), bound: json(bound(index)) };
}

/** Equal up to `ulps` steps between neighbouring numbers of the dtype. */
export function differenceInUlps(expected: Elements, found: Elements, ulps: number): Difference | undefined {
  const kind = differenceInKind(expected, found);
  if (kind) return kind;
  const count = countOf(expected);
  for (let index = 0; index < count; index++) {
    if (ulpsApart(expected, found, index) <= ulps) continue;
    return { index, expected: shown(expected, index), found: shown(found, index), bound: `${ulps} ulp` };
  }
  return undefined;
}

/** Integers equal, except `steps` up or down on at most `share` of them. */
export function differenceInCodes(
  expected: Elements,
  found: Elements,
  { steps, share }: { steps: number; share: number },
): Difference | undefined {
  const kind = differenceInKind(expected, found);
  if (kind) return kind;
  const apart = numbersOf(expected).map((value, i) => Math.abs(value - found.bytes[i]!));
  const differing = apart.filter((distance) => distance > 0).length;
  const tooMany = differing > share * apart.length;
  const index = apart.findIndex((distance) => distance > (tooMany ? 0 : steps));
  if (index < 0) return undefined;
  const bound = `${steps} code on at most ${share * 100} % (here ${differing} of ${apart.length} differ)`;
  return { index, expected: shown(expected, index), found: shown(found, index), bound };
}

/** Anything that is not numbers: both must be the same text. */
export function differenceInText(expected: string, found: string): Difference | undefined {
  return expected === found ? undefined : { index: -1, expected, found, bound: "equal" };
}

function differenceInKind(expected: Elements, found: Elements): Difference | undefined {
  if (expected.dtype !== found.dtype) return differenceInText(expected.dtype, found.dtype);
  const [a, b] = [countOf(expected), countOf(found)];
  return a === b ? undefined : differenceInCount(a, b);
}

const differenceInCount = (expected: number, found: number): Difference | undefined =>
  differenceInText(`${expected} elements`, `${found} elements`);

/** Index of the first byte that differs, −1 when none does. */
export function firstDifferingByte(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : length;
}

function ulpsApart(a: Elements, b: Elements, index: number): number {
  const [x, y] = [rankOf(a, index), rankOf(b, index)];
  if (x === undefined || y === undefined) return Number.POSITIVE_INFINITY;
  return Number(x > y ? x - y : y - x);
}

/** Position of a float among all numbers of its dtype; both zeros are 0. Undefined for NaN. */
function rankOf(elements: Elements, index: number): bigint | undefined {
  const bits = bitsAt(elements, index);
  const signBit = 1n << BigInt(8 * widthOf(elements.dtype) - 1);
  if (Number.isNaN(valueAt(elements, index))) return undefined;
  return bits & signBit ? -(bits & (signBit - 1n)) : bits;
}

function valueAt({ dtype, bytes }: Elements, index: number): number {
  const width = widthOf(dtype);
  return numbersOf({ dtype, bytes: bytes.slice(index * width, (index + 1) * width) })[0]!;
}

function shown(elements: Elements, index: number): Shown {
  const value = valueAt(elements, index);
  return Number.isNaN(value) ? `NaN (0x${bitsAt(elements, index).toString(16)})` : json(value);
}

/** A number as JSON can hold it. */
export function json(value: number): Shown {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? "-0" : String(value);
}
