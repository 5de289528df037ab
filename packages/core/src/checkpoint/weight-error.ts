/** How far a quantized weight is from the original: sums over pieces, then the usual figures. */

export interface WeightError {
  readonly maxAbs: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Signal-to-quantization-noise ratio in dB; Infinity for an exact copy. */
  readonly sqnrDb: number;
  readonly cosine: number;
}

export class ErrorMeter {
  #count = 0;
  #maxAbs = 0;
  #noise = 0;
  #signal = 0;
  #decoded = 0;
  #product = 0;

  /** Adds `count` pairs of original and decoded values. */
  add(original: Float32Array, decoded: Float32Array, count: number): void {
    let maxAbs = this.#maxAbs;
    let noise = 0;
    let signal = 0;
    let energy = 0;
    let product = 0;
    for (let i = 0; i < count; i++) {
      const x = original[i]!;
      const y = decoded[i]!;
      const difference = Math.abs(x - y);
      if (difference > maxAbs) maxAbs = difference;
      noise += difference * difference;
      signal += x * x;
      energy += y * y;
      product += x * y;
    }
    this.#count += count;
    this.#maxAbs = maxAbs;
    this.#noise += noise;
    this.#signal += signal;
    this.#decoded += energy;
    this.#product += product;
  }

  result(): WeightError {
    const lengths = Math.sqrt(this.#signal * this.#decoded);
    return {
      maxAbs: this.#maxAbs,
      rmse: this.#count === 0 ? 0 : Math.sqrt(this.#noise / this.#count),
      sqnrDb: this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise),
      cosine: lengths === 0 ? 1 : this.#product / lengths,
    };
  }
}
