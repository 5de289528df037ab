/** Blocks of values that decisions are most likely to get wrong, the codes that core gives them, and shaders that give every value its code. */
import { type Format, quantize, referenceBackend, thresholdsOf, unpackCodes } from "@halfbyte/core";
import { decisionOf } from "../src/exact/decision.js";
import { moduleText } from "./exact-adapter.js";
import { floatsOf, generator, wordsOf } from "./exact-patterns.js";

export const blockSize = 64;
const largest = 0x7f7fffff;

/** Absmax patterns over all magnitudes: any bits, powers of two, subnormals and zero, the ends, ordinary weights. */
function absmaxOf(block: number, random: () => number): number {
  const word = random();
  const choices = [
    word & 0x7fffffff,
    word & 0x7f800000,
    word & 0x7fffff,
    largest - (word & 3),
    0x3c000000 + (word >>> 6),
  ];
  return Math.min(choices[block % choices.length]!, largest);
}

/** One value of a block: within 3 ulp of a threshold carried over to its scale, or anything up to the absmax. */
function valueIn(absmax: number, bound: number, random: () => number): number {
  const near = wordsOf(Float32Array.of(bound * floatsOf(Uint32Array.of(absmax))[0]!))[0]!;
  const magnitude = random() & 3 ? (near & 0x7fffffff) + (random() % 7) - 3 : random() & 0x7fffffff;
  return (Math.max(0, Math.min(magnitude, absmax)) | (near & 0x80000000)) >>> 0;
}

/** Blocks whose first value is the largest; the sign of what stands in for zero thresholds is random. */
export function adversarialBlocks(format: Format, count: number, blocks = 1 << 14): Uint32Array {
  const random = generator(11);
  const { bounds } = thresholdsOf(format.code);
  const values = new Uint32Array(blocks * blockSize);
  for (let block = 0; block < blocks; block++) {
    const absmax = absmaxOf(block, random);
    values[block * blockSize] = absmax | (random() & 0x80000000);
    for (let k = 1; k < count; k++) {
      const flip = random() % 4 === 0 ? 0x80000000 : 0;
      values[block * blockSize + k] = valueIn(absmax, bounds[random() % bounds.length]!, random) ^ flip;
    }
  }
  return values;
}

/** The codes of core's reference kernels, one to a word. */
export async function referenceCodes(format: Format, values: Float32Array, size: number): Promise<Uint8Array> {
  using x = referenceBackend().tensor("float32", [values.length], values);
  using quantized = await quantize(x, { format: format.name, blockSize: size, nonFinite: "propagate" });
  return unpackCodes((await quantized.codes.read()) as Uint8Array, values.length);
}

const constantArray = (name: string, words: readonly number[]): string =>
  `const ${name} = array<u32, ${words.length}>(${words.map((word) => `${word}u`).join(", ")});\n`;

export const modulesOf = (format: Format) =>
  moduleText("float32") +
  moduleText("block_scale") +
  moduleText("decision4bit") +
  constantArray("bounds", decisionOf(format).bounds) +
  constantArray("order", decisionOf(format).order) +
  "fn vectors(at: u32, words: array<u32, 15>) -> vec4u { return vec4u(words[at], words[at + 1u], words[at + 2u], words[min(at + 3u, 14u)]); }\n" +
  "fn limits_from(words: array<u32, 15>) -> Limits { return Limits(vectors(0u, words), vectors(4u, words), vectors(8u, words), vectors(12u, words)); }\n";

/** The scale of the block of invocation i, of which `count` values are there. */
export const loadScale = (count: number) => `
  var absmax = 0u;
  for (var k = 0u; k < ${count}u; k++) { absmax = max(absmax, first[i * ${blockSize}u + k] & ~SIGN); }
  let scale = block_scale(absmax, ${count < blockSize});`;

export const eachCode = (count: number, rank: string) => `
  for (var k = 0u; k < ${count}u; k++) {
    let bits = first[i * ${blockSize}u + k];
    result[i * ${blockSize}u + k] = order[${rank}];
  }`;

export const carriedOver = (count: number) => `${loadScale(count)}
  var limits: array<u32, 15>;
  for (var k = 0u; k < 15u; k++) { limits[k] = largest_within(bounds[k], scale); }
  ${eachCode(count, "rank_among(ordered_key(bits), limits_from(limits))")}`;

export const byScaling = (count: number) =>
  `${loadScale(count)} ${eachCode(count, "rank_by_scaling(bits, scale, limits_from(bounds), 15u)")}`;
