/** Bytes to the GPU and back, in order, and nothing left behind. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openOrSkip } from "./open.js";

test("bytes come back, whatever their number", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations: [] });
  await using _closed = backend;
  for (const size of [0, 1, 2, 3, 4, 5, 255, 256, 257, 4099, 17 * 2 ** 20 + 3]) {
    const data = new Uint8Array(randomBytes(size));
    using tensor = backend.tensor("uint8", [size], data);
    expect(Buffer.compare(await tensor.read(), data), `${size} bytes`).toBe(0);
  }
  expect(device.liveBuffers).toBe(0);
});

test("any part can be written and read", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations: [] });
  await using _closed = backend;
  const expected = new Uint8Array(randomBytes(61));
  const storage = device.allocate(61, true);
  device.write(storage, 0, expected);
  for (const [offset, length] of [
    [1, 1],
    [1, 2],
    [3, 9],
    [5, 3],
    [4, 4],
    [58, 3],
    [60, 1],
    [57, 2],
  ] as const) {
    const part = new Uint8Array(randomBytes(length));
    device.write(storage, offset, part);
    expected.set(part, offset);
    part.fill(0);
    const found = new Uint8Array(length + 1);
    await device.read(storage, offset - 1, found);
    expect(found).toEqual(expected.slice(offset - 1, offset + length));
  }
  const all = new Uint8Array(61);
  await device.read(storage, 0, all);
  expect(all).toEqual(expected);
});

test("writes, reads and frees take effect in call order", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations: [] });
  await using _closed = backend;
  const [first, second] = [new Uint8Array(7), new Uint8Array(7)];
  const storage = device.allocate(7, true);
  device.write(storage, 1, Uint8Array.of(1));
  const reads = [device.read(storage, 0, first)];
  device.write(storage, 0, Uint8Array.of(9, 9, 9, 9, 9, 9, 9));
  reads.push(device.read(storage, 0, second));
  device.free(storage);
  const next = device.allocate(7, false);
  device.write(next, 0, new Uint8Array(7).fill(3));
  await Promise.all(reads);
  expect([...first]).toEqual([0, 1, 0, 0, 0, 0, 0]);
  expect([...second]).toEqual([9, 9, 9, 9, 9, 9, 9]);
});

test("1000 tensors come and go and leave no buffer", async (context) => {
  const { backend, device } = await openOrSkip(context, { operations: [] });
  await using _closed = backend;
  for (let i = 0; i < 1000; i++) backend.tensor("float32", [i], new Float32Array(i).fill(i)).dispose();
  await backend.synchronize();
  expect(device.liveBuffers).toBe(0);
  expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0, leaked: 0 });
});
