/** Both decoders, bit for bit what the reference backend gives. */
import {
  type Backend,
  createQuantizedTensor,
  createRandom,
  dequantize,
  type Float,
  formatNames,
  getFormat,
  originOf,
  quantize,
  referenceBackend,
  type Tensor,
  toFloat32,
} from "@halfbyte/core";
import { expect, test } from "vitest";
import { openOrSkip } from "./open.js";

const operations = ["dequantize4bit", "dequantizeBlockwise"] as const;

const dtypes: readonly Float[] = ["float32", "float16", "bfloat16"];
const blockFormats = formatNames().filter((name) => getFormat(name).scales === "block");

function noise(size: number): Float32Array {
  const random = createRandom(6);
  return Float32Array.from({ length: size }, () => (random.uniform() - 0.5) * 2 ** (40 * (random.uniform() - 0.5)));
}

const values = async (tensor: Tensor): Promise<Float32Array> => {
  using read = tensor;
  return toFloat32(read.dtype as Float, (await read.read()) as Float32Array);
};

for (const format of blockFormats)
  test(`${format} decodes to the reference's bits`, async (context) => {
    const { backend, device } = await openOrSkip(context, { operations });
    await using _closed = backend;
    for (const nested of [false, true])
      for (const size of [0, 1, 2, 7, 8, 9, 65, 1031, 70_001]) {
        using x = referenceBackend().tensor("float32", [size], noise(size));
        using weight = await quantize(x, { format, nested });
        using moved = await weight.to(backend);
        for (const dtype of dtypes) {
          const decoded = dequantize(moved, { dtype });
          const kernel = getFormat(format).bits === 4 ? "dequantize_blocks" : "dequantize";
          expect(originOf(decoded)).toEqual({ backend: "webgpu", kernel, variant: "t0" });
          const found = await values(decoded);
          expect(found, `${dtype} [${size}] nested: ${nested}`).toEqual(await values(dequantize(weight, { dtype })));
        }
      }
    expect(device.liveBuffers).toBe(0);
  });

/** Zero, the smallest and largest numbers, subnormals, ties of both 16-bit types, infinity. */
const scales = [
  0,
  -0,
  2 ** -149,
  2 ** -140,
  1e-38,
  2 ** -126,
  2 ** -25,
  6.1e-5,
  1 + 2 ** -11,
  1 + 2 ** -8,
  65_519,
  3.4e38,
];

/** Every code with every scale. */
async function decodeAll(
  backend: Backend,
  scale: readonly number[],
  table: Float32Array,
  dtype: Float,
  offset: number,
) {
  using codes = backend.tensor(
    "uint8",
    [scale.length * 256],
    Uint8Array.from({ length: scale.length * 256 }, (_, i) => i),
  );
  using absmax = backend.tensor("float32", [scale.length], Float32Array.from(scale));
  using code = backend.tensor("float32", [256], table);
  return values(backend.kernels.dequantizeBlockwise({ codes, absmax, code, blockSize: 256, offset, dtype }).out);
}

test("extreme scales and tables decode to the reference's bits", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  const random = createRandom(7);
  const tables = [
    getFormat("int8-blockwise").code,
    Float32Array.from({ length: 256 }, () => random.uniform() * 3 - 1.5),
  ];
  for (const table of tables)
    for (const dtype of dtypes)
      for (const offset of [0, 0.37109375]) {
        const all = [...scales, Number.POSITIVE_INFINITY, ...noise(50)];
        const found = await decodeAll(backend, all, table, dtype, offset);
        expect(found).toEqual(await decodeAll(referenceBackend(), all, table, dtype, offset));
      }
});

/** 4-bit blocks of sizes that are no power of two, whole words of codes or not, at least 32 elements or not. */
const blockSizes = [2, 20, 32, 40, 100, 1000, 2048, 6000];

async function decodeBlocks(backend: Backend, size: number, blockSize: number, nested: boolean, dtype: Float) {
  const count = Math.ceil(size / blockSize);
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 37 + (i >> 8)) % 256);
  using codes = backend.tensor("uint8", [Math.ceil(size / 2)], bytes(Math.ceil(size / 2)));
  using flat = backend.tensor("float32", [count], noise(count));
  using absmax = backend.tensor("uint8", [count], bytes(count));
  const nestedBlockSize = 3;
  using nestedAbsmax = backend.tensor("float32", [Math.ceil(count / 3)], noise(Math.ceil(count / 3)));
  using nestedCode = backend.tensor("float32", [256], getFormat("int8-blockwise").code);
  const scales = nested
    ? ({ kind: "nested", absmax, nestedAbsmax, nestedCode, nestedBlockSize, offset: 0.37109375 } as const)
    : ({ kind: "block", absmax: flat } as const);
  const weight = createQuantizedTensor({ format: "fp4", shape: [size], dtype, blockSize, codes, scales });
  return values(backend.kernels.dequantize4bit({ weight, dtype }).out);
}

for (const [name, options] of [
  ["whole", {}],
  ["in pieces of 64 KiB", { pieceBytes: 65_536 }],
] as const)
  test(`blocks of any even size, nested or not, ${name}`, async (context) => {
    const { backend, device } = await openOrSkip(context, { operations, ...options });
    await using _closed = backend;
    for (const blockSize of blockSizes)
      for (const nested of [false, true])
        for (const dtype of dtypes) {
          const found = await decodeBlocks(backend, 50_001, blockSize, nested, dtype);
          const expected = await decodeBlocks(referenceBackend(), 50_001, blockSize, nested, dtype);
          expect(found, `blocks of ${blockSize}, ${dtype}, nested: ${nested}`).toEqual(expected);
        }
    expect(device.liveBuffers).toBe(0);
  });

test("nested scales are decoded in the kernel that decodes the weight", async (context) => {
  const { backend } = await openOrSkip(context, { operations });
  await using _closed = backend;
  using x = referenceBackend().tensor("float32", [4096], noise(4096));
  using nested = await quantize(x, { format: "nf4", nested: true });
  using weight = await nested.to(backend);
  const explanation = { kernel: "dequantize_blocks", variant: "t0", composed: false };
  expect(backend.explain("dequantize4bit", { weight, dtype: "bfloat16" })).toEqual(explanation);
});
