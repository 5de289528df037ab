/** What the specification's cases leave out: profile cuda, values that are not finite, host copies in pieces, both kinds of memory. */
import {
  type Backend,
  createDynamicMap,
  createRandom,
  type Float,
  formatNames,
  fromFloat32,
  getFormat,
  openBackend,
  type Profile,
  reference,
  registerFormat,
} from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

/** Of each kernel: blocks in a part of a warp, in one, in several, in a whole thread block, and of no power of two. */
const blockSizes = [32, 64, 256, 512, 4096, 48, 1024];

/** The format's table with block sizes that core does not give it; FP4 keeps its own name, by which libraries know its rule. */
function having(name: string, blockSize: number): string {
  const format = getFormat(name);
  if (format.blockSizes.includes(blockSize)) return name;
  const { cuda: _rule, ...table } = format;
  const widened = `${name}-any`;
  if (!formatNames().includes(widened)) registerFormat({ ...table, name: widened, blockSizes });
  return widened;
}

const dtypes = ["float32", "float16", "bfloat16"] as const;

/** Blocks of ordinary values, of zeros, with tiny and huge maxima; some values lie on thresholds. */
function values(size: number, blockSize: number): Float32Array {
  const random = createRandom(11);
  const scales = [1, 0, 1e-42, 1e-38, 3e38, 0.02, 1e-6];
  return Float32Array.from({ length: size }, (_, i) => {
    const scale = scales[Math.floor(i / blockSize) % scales.length]!;
    return scale * Math.max(-1, Math.min(1, random.normal() / 3));
  });
}

interface Case {
  readonly x: Float32Array;
  readonly dtype: Float;
  readonly blockSize: number;
  readonly profile: Profile;
}

const quantize4bit =
  (format: string) =>
  (backend: Backend, { x, dtype, ...rest }: Case) =>
    backend.kernels.quantize4bit({ x: tensorOf(backend, x, dtype), format, ...rest, nonFinite: "propagate" });

const quantizeByMap =
  (code: Float32Array) =>
  (backend: Backend, { x, dtype, ...rest }: Case) =>
    backend.kernels.quantizeBlockwise({
      x: tensorOf(backend, x, dtype),
      code: backend.tensor("float32", [256], code),
      ...rest,
      nonFinite: "propagate",
    });

const quantizeBlockwise = quantizeByMap(createDynamicMap());

const tensorOf = (backend: Backend, x: Float32Array, dtype: Float) =>
  backend.tensor(dtype, [x.length], fromFloat32(dtype, x));

type Quantizer = typeof quantizeBlockwise;

async function expectSame(quantizer: Quantizer, one: Case): Promise<void> {
  await using cuda = await openEmulated();
  await using oracle = await openBackend([reference()], { order: ["reference"] });
  const [found, expected] = [cuda, oracle].map((backend) => quantizer(backend, one));
  expect(await bitsOf(found!)).toEqual(await bitsOf(expected!));
}

async function bitsOf({ codes, absmax }: ReturnType<Quantizer>) {
  return { codes: await codes.read(), absmax: new Uint32Array((await absmax.read()).buffer) };
}

beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

describe("profile cuda", () => {
  const cases = dtypes.flatMap((dtype) => blockSizes.map((blockSize) => ({ dtype, blockSize })));
  const sample = (blockSize: number) => values(9 * blockSize + 13, blockSize);

  it.for(cases)("4-bit codes, $dtype in blocks of $blockSize", async ({ dtype, blockSize }) => {
    for (const format of ["nf4", "fp4", "af4"])
      await expectSame(quantize4bit(having(format, blockSize)), {
        x: sample(blockSize),
        dtype,
        blockSize,
        profile: "cuda",
      });
  });

  it.for(cases)("8-bit codes, $dtype in blocks of $blockSize", async ({ dtype, blockSize }) => {
    await expectSame(quantizeBlockwise, { x: sample(blockSize), dtype, blockSize, profile: "cuda" });
  });
});

describe("8-bit codes of other maps", () => {
  const map = (value: (i: number) => number) => Float32Array.from({ length: 256 }, (_, i) => Math.fround(value(i)));
  const linear = (i: number) => (i - 127.5) / 127.5;
  /** What an encoder that expects the default maps may get wrong: crowds of bounds, bounds beyond all values, ties everywhere. */
  const maps = {
    linear: map(linear),
    "crowded around 0": map((i) => linear(i) * 1e-8),
    "crowded at 1": map((i) => 1 + linear(i) * 1e-5),
    "beyond 1": map((i) => linear(i) * 100),
    "all positive": map((i) => (i + 1) / 256),
    "all the same": map(() => 0.5),
    "in pairs": map((i) => linear(i - (i % 2))),
    "powers of two": map((i) => (i < 128 ? -(2 ** -(i + 1)) : 2 ** (i - 255))),
  };

  it.for(Object.entries(maps))("%s", async ([, code]) => {
    const random = createRandom(3);
    const x = Float32Array.from({ length: 1000 }, (_, i) =>
      i % 3 === 0 ? code[(i * 7) % 256]! : random.normal() * 10 ** -(i % 9),
    );
    for (const profile of ["reference", "cuda"] as const)
      for (const blockSize of [64, 100])
        await expectSame(quantizeByMap(code), { x, dtype: "float32", blockSize, profile });
  });
});

describe("values that are not finite", () => {
  const broken = (blockSize: number) => {
    const x = values(5 * blockSize + 3, blockSize);
    [x[blockSize + 3], x[3 * blockSize], x[3 * blockSize + 1]] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NaN];
    return x;
  };

  it.for(["reference", "cuda"] as const)("propagate by the rules of profile %s", async (profile) => {
    for (const blockSize of [64, 48, 1024])
      for (const format of ["nf4", "fp4"])
        await expectSame(quantize4bit(having(format, blockSize)), {
          x: broken(blockSize),
          dtype: "float32",
          blockSize,
          profile,
        });
  });

  it("are reported with the lowest index", async () => {
    await using cuda = await openEmulated();
    for (const blockSize of [64, 48]) {
      const { codes } = cuda.kernels.quantize4bit({
        x: tensorOf(cuda, broken(blockSize), "float32"),
        format: having("nf4", blockSize),
        blockSize,
      });
      await expect(codes.read()).rejects.toMatchObject({
        code: "NON_FINITE_INPUT",
        details: { index: blockSize + 3 },
      });
    }
  });
});

describe("memory", () => {
  afterEach(() => delete process.env["HALFBYTE_EMULATED_POOLS"]);

  /** More than two pieces of the pinned buffer, and an odd rest. */
  const bytes = Uint8Array.from({ length: (9 << 20) + 5 }, (_, i) => (i * 31) ^ (i >> 8));

  it.for(["1", "0"])("copies in pieces keep every byte and the order; memory pools: %s", async (pools) => {
    process.env["HALFBYTE_EMULATED_POOLS"] = pools;
    await using cuda = await openEmulated();
    for (const adopt of [false, true]) {
      const given = bytes.slice();
      using tensor = cuda.tensor("uint8", [bytes.length], given, { adopt });
      // Only what was adopted is looked at later.
      if (!adopt) given.fill(0);
      expect(Buffer.compare(await tensor.read(), bytes)).toBe(0);
    }
  });

  it.for(["1", "0"])("is zero where it was asked to be, reused or not; memory pools: %s", async (pools) => {
    process.env["HALFBYTE_EMULATED_POOLS"] = pools;
    await using cuda = await openEmulated();
    for (let i = 0; i < 5; i++) {
      cuda.tensor("uint8", [1001], new Uint8Array(1001).fill(255)).dispose();
      using zeros = cuda.zeros("uint8", [1000]);
      expect((await zeros.read()).every((byte) => byte === 0)).toBe(true);
    }
    expect(cuda.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  });
});
