/** Single precision as WGSL allows it: what cannot be represented becomes one of its two neighbours, and nobody says which. */

export interface FloatArithmetic {
  add(a: number, b: number): number;
  subtract(a: number, b: number): number;
  multiply(a: number, b: number): number;
  divide(a: number, b: number): number;
  fma(a: number, b: number, c: number): number;
  sqrt(a: number): number;
  /** A value that is not a float yet, an integer for instance. */
  from(value: number): number;
}

/** As IEEE 754 has it, and as most devices do. */
export const roundsToNearest: FloatArithmetic = {
  add: (a, b) => Math.fround(a + b),
  subtract: (a, b) => Math.fround(a - b),
  multiply: (a, b) => Math.fround(a * b),
  divide: (a, b) => Math.fround(a / b),
  fma: (a, b, c) => Math.fround(a * b + c),
  sqrt: (a) => Math.fround(Math.sqrt(a)),
  from: Math.fround,
};

/** The neighbour that is further away, wherever there are two; subnormal numbers are zero. */
export const roundsOtherwise: FloatArithmetic = {
  add: (a, b) => sum(flushed(a), flushed(b)),
  subtract: (a, b) => sum(flushed(a), -flushed(b)),
  multiply: (a, b) => otherNeighbour(flushed(a) * flushed(b)),
  divide: (a, b) => otherNeighbour(flushed(a) / flushed(b)),
  // Not fused: WGSL allows that too.
  fma: (a, b, c) => sum(otherNeighbour(flushed(a) * flushed(b)), flushed(c)),
  sqrt: (a) => otherNeighbour(Math.sqrt(flushed(a))),
  from: (value) => otherNeighbour(value),
};

const smallestNormal = 2 ** -126;
const flushed = (value: number): number => (Math.abs(value) < smallestNormal ? value * 0 : value);

/** The float64 sum of two float32 may itself be rounded; what was lost tells on which side it lies. */
function sum(a: number, b: number): number {
  const rounded = a + b;
  const ofB = rounded - a;
  return otherNeighbour(rounded, a - (rounded - ofB) + (b - ofB));
}

/** Of `exact` + `rest`, where `rest` is too small to be seen beside `exact`. */
function otherNeighbour(exact: number, rest = 0): number {
  const nearest = Math.fround(exact);
  const direction = Math.sign(exact - nearest) || Math.sign(rest);
  if (!direction || !Number.isFinite(nearest)) return flushed(nearest);
  return flushed(neighbour(nearest, direction));
}

const bits = new DataView(new ArrayBuffer(4));

/** The next float32 upwards or downwards. */
function neighbour(value: number, direction: number): number {
  if (value === 0) return direction * 2 ** -149;
  bits.setFloat32(0, value);
  bits.setInt32(0, bits.getInt32(0) + (direction > 0 === value > 0 ? 1 : -1));
  return bits.getFloat32(0);
}
