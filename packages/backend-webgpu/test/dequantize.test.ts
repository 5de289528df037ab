/** Both decoders, bit for bit what the reference backend gives. */
import {
  type Backend,
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
    const { backend, device } = await openOrSkip(context);
    await using _closed = backend;
    for (const nested of [false, true])
      for (const size of [0, 1, 2, 7, 8, 9, 65, 1031, 70_001]) {
        using x = referenceBackend().tensor("float32", [size], noise(size));
        using weight = await quantize(x, { format, nested });
        using moved = await weight.to(backend);
        for (const dtype of dtypes) {
          const decoded = dequantize(moved, { dtype });
          expect(originOf(decoded)).toMatchObject({ backend: "webgpu", kernel: expect.stringMatching(/^dequantize/) });
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
  const { backend } = await openOrSkip(context);
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
