/** Bit patterns of float32 that rounding is most likely to get wrong, and random ones. */

/** xorshift32: the same patterns in every run. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Zeros, subnormals, powers of two, the largest numbers, Infinity and NaN, each with its neighbours. */
const anchors = [0, 1, 0x400000, 0x7fffff, 0x800000, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7fc00000];

const special = [
  ...anchors,
  ...Array.from({ length: 254 }, (_, exponent) => (exponent + 1) << 23),
  ...Array.from({ length: 23 }, (_, bit) => 1 << bit),
].flatMap((pattern) => [-3, -2, -1, 0, 1, 2, 3].map((ulps) => Math.max(0, pattern + ulps)));

/** `count` patterns of either sign: a quarter special, a quarter with few mantissa bits (exact ties), the others random. */
export function patterns(count: number, seed: number): Uint32Array<ArrayBuffer> {
  const random = generator(seed);
  return Uint32Array.from({ length: count }, () => {
    const kind = random() >>> 30;
    const word = random();
    if (kind === 0) return special[word % special.length]! | (word & 0x80000000);
    return kind === 1 ? word & (-1 << (8 + (random() % 16))) : word;
  });
}

export const floatsOf = <B extends ArrayBufferLike>(words: Uint32Array<B>): Float32Array<B> =>
  new Float32Array(words.buffer, words.byteOffset, words.length);

export const wordsOf = (floats: Float32Array): Uint32Array =>
  new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
