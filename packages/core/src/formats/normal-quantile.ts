/** The inverse of the standard normal distribution function, to float64 accuracy for the probabilities codebooks use. */

const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Φ(x) by Marsaglia's series (Journal of Statistical Software 11(4), 2004): 1/2 + φ(x)·(x + x³/3 + x⁵/15 + …). */
function cumulative(x: number): number {
  let term = x;
  let sum = x;
  for (let i = 3; Math.abs(term) > Math.abs(sum) * 1e-17; i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + sum * density(x);
}

/** Φ⁻¹(p) for p in (1e-9, 1 − 1e-9), by Newton's method. */
export function normalQuantile(p: number): number {
  let x = 0;
  for (let i = 0; i < 60; i++) {
    const step = (cumulative(x) - p) / density(x);
    // A bounded step keeps Newton from leaping over the flat tail.
    x -= Math.max(-0.5, Math.min(0.5, step));
    if (Math.abs(step) < 1e-15) break;
  }
  return x;
}
