/** Order statistics of run times, and errors of results. */

/** The middle value, or the mean of the two in the middle. Throws RangeError for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("The median of no values.");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** RMS(found − expected) / RMS(expected); 0 when both are zero everywhere. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new RangeError(`${found.length} values against ${expected.length}.`);
  let error = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (found[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  return error === 0 ? 0 : Math.sqrt(error / size);
}
