/**
 * WGSL lets a device round every float operation to either side. Here the shaders run on the host, once as most devices round and once wherever
 * possible the other way: what comes out must not change.
 */
import { type Format, fromFloat32, getFormat } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { moduleText, shaderText } from "./exact-adapter.js";
import {
  adversarialBlocks,
  blockSize,
  byScaling,
  carriedOver,
  eachCode,
  loadScale,
  modulesOf,
  referenceCodes,
} from "./exact-blocks.js";
import { floatsOf, patterns } from "./exact-patterns.js";
import { type FloatArithmetic, roundsOtherwise, roundsToNearest } from "./wgsl/float-arithmetic.js";
import { HostShader } from "./wgsl/host-shader.js";
import { HostBuffer } from "./wgsl/runtime.js";

const roundings = [
  ["to nearest", roundsToNearest],
  ["otherwise", roundsOtherwise],
] as const;

const blocks = 10_000;

/** Codes of every value, by a body that sees the block `i`. */
function codes(format: Format, body: string, values: Uint32Array, float: FloatArithmetic): Uint32Array {
  const result = new Uint32Array(values.length);
  const [first, out] = [values, result].map(({ buffer }) => new HostBuffer(buffer as ArrayBuffer));
  const count = values.length / blockSize;
  const shader = new HostShader(shaderText(modulesOf(format), body, count), { float, buffers: { 0: first!, 2: out! } });
  shader.dispatch("main", [Math.ceil(count / 64), 1, 1]);
  return result;
}

/** As one would write it with floats. */
const above = (k: number) => `u32(bitcast<f32>(bits) * inverse > bitcast<f32>(from_ordered_key(bounds[${k}])))`;
const withFloats = `${loadScale(blockSize)}
  let inverse = 1.0 / bitcast<f32>(scale.unit);
  ${eachCode(blockSize, Array.from({ length: 15 }, (_, k) => above(k)).join(" + "))}`;

const differences = (found: Uint32Array, expected: Uint8Array): number =>
  found.reduce((count, code, i) => count + (code === expected[i] ? 0 : 1), 0);

describe.for(["nf4", "fp4", "af4"])("codes of %s in 10 000 blocks", (name) => {
  const format = getFormat(name);
  const values = adversarialBlocks(format, blockSize, blocks);
  const expected = referenceCodes(format, floatsOf(values), blockSize);

  it.for(roundings)("are core's where floats round %s", async ([, float]) => {
    expect(differences(codes(format, carriedOver(blockSize), values, float), await expected)).toBe(0);
    expect(differences(codes(format, byScaling(blockSize), values, float), await expected)).toBe(0);
  });

  it("would not be with floats: the check can fail", async () => {
    expect(differences(codes(format, withFloats, values, roundsOtherwise), await expected)).toBeGreaterThan(100);
  });
});

describe.for(roundings)("float32 by integers where floats round %s", ([, float]) => {
  const shader = new HostShader(moduleText("float32") + moduleText("float16"), { float });
  const [a, b] = [patterns(100_000, 21), patterns(100_000, 22)];
  const [x, y] = [floatsOf(a), floatsOf(b)];
  const bits = new DataView(new ArrayBuffer(4));

  const expectBits = (name: string, expected: (i: number) => number): void => {
    for (let i = 0; i < a.length; i++) {
      const found = shader.call(name, a[i], b[i]) as number;
      if (found !== wordOf(expected(i))) expect.fail(`${name}(${x[i]}, ${y[i]}) is ${found}`);
    }
  };
  const wordOf = (value: number): number => {
    bits.setFloat32(0, value);
    return Number.isNaN(value) ? 0x7fc00000 : bits.getUint32(0);
  };

  it("multiplies", () => expectBits("product", (i) => x[i]! * y[i]!));
  it("divides", () => expectBits("quotient", (i) => x[i]! / y[i]!));
  it("becomes float16 and bfloat16", () => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      const expected = fromFloat32(dtype, x);
      expect(a.findIndex((word, i) => shader.call(`to_${dtype}`, word) !== expected[i])).toBe(-1);
    }
  });
});
