/**
 * From a table of values to decisions. A value equal to a midpoint goes to the lower side: code = order[number of bounds
 * strictly below x]. Two entries with the same value keep their code order, which is how FP4's code 8 catches the smallest
 * positive values. Source: bitsandbytes, backends/default/ops.py.
 */

export interface Thresholds {
  /** f32 midpoints between neighbours in value order, ascending. */
  readonly bounds: Float32Array;
  /** Codes in ascending order of value. */
  readonly order: Uint8Array;
}

const cache = new WeakMap<Float32Array, Thresholds>();

/** Midpoints and value order of a table; computed once per array. */
export function thresholdsOf(code: Float32Array): Thresholds {
  const known = cache.get(code);
  if (known) return known;
  const order = Uint8Array.from([...code.keys()].sort((a, b) => code[a]! - code[b]! || a - b));
  const thresholds = { order, bounds: midpoints(Float32Array.from(order, (index) => code[index]!)) };
  cache.set(code, thresholds);
  return thresholds;
}

/** f32 midpoints of neighbours: fr(fr(a + b) / 2). */
export function midpoints(sorted: Float32Array): Float32Array {
  return Float32Array.from({ length: sorted.length - 1 }, (_, i) => Math.fround(sorted[i]! + sorted[i + 1]!) * 0.5);
}

/** Number of ascending bounds strictly below x; NaN counts as above all of them, as in torch.bucketize. */
export function countBelow(bounds: Float32Array, x: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x <= bounds[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}
