/**
 * A device that is lost, as a GPU is by any failing kernel: one error, told by everything that waits and by every later call, and a backend that
 * closes. Each test loses an emulated device of its own: like CUDA, it does not come back in this process.
 */
import type { Backend } from "@halfbyte/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { noEmulation, openEmulated } from "./emulated.js";

process.env["HALFBYTE_EMULATED_DEVICES"] = "16";
let device = 0;

beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
  device++;
});
afterEach(() => delete process.env["HALFBYTE_EMULATED_FAULT"]);

const lost = expect.objectContaining({ code: "DEVICE_LOST" });

function quantize(backend: Backend, size = 4096) {
  using x = backend.zeros("float32", [size]);
  return backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
}

/** The kernel launched now takes the device with it, as CUDA error 700. */
function breakDevice(backend: Backend): ReturnType<typeof quantize> {
  process.env["HALFBYTE_EMULATED_FAULT"] = "700";
  try {
    return quantize(backend);
  } finally {
    delete process.env["HALFBYTE_EMULATED_FAULT"];
  }
}

it("reads that wait reject, and say what CUDA said", async () => {
  await using backend = await openEmulated({ device });
  const before = quantize(backend);
  await before.codes.read();
  const { codes, absmax } = breakDevice(backend);
  const reads = await Promise.allSettled([codes.read(), absmax.read(), before.codes.read()]);
  for (const read of reads) expect(read).toMatchObject({ status: "rejected", reason: lost });
  const { reason } = reads[0] as PromiseRejectedResult;
  expect(reason).toMatchObject({ message: expect.stringContaining("700"), remedy: expect.stringMatching(/process/) });
});

it("every later call is refused with the same code, and nothing hangs", async () => {
  const backend = await openEmulated({ device });
  using x = backend.zeros("float32", [64]);
  const { codes } = breakDevice(backend);
  await expect(codes.read()).rejects.toEqual(lost);
  await expect(x.read()).rejects.toEqual(lost);
  await expect(backend.synchronize()).rejects.toEqual(lost);
  expect(() => backend.zeros("float32", [1])).toThrow(lost);
  expect(() => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 })).toThrow(lost);
  x.dispose();
  codes.dispose();
  await backend.dispose();
  await backend.dispose();
});

it("an allocation that finds the device lost says so, not that memory is short", async () => {
  const backend = await openEmulated({ device });
  breakDevice(backend);
  const { device: native } = backend as unknown as { device: { allocate(bytes: number, zeroed: boolean): unknown } };
  // In one turn of the event loop: nobody has told the backend yet.
  const spinUntilLost = () => {
    for (;;) native.allocate(64, true);
  };
  expect(spinUntilLost).toThrow(lost);
  await backend.dispose();
});

it("synchronize() and dispose() alone settle too", async () => {
  const one = await openEmulated({ device });
  breakDevice(one);
  await expect(one.synchronize()).rejects.toEqual(lost);
  await one.dispose();
  device++;
  const other = await openEmulated({ device });
  breakDevice(other);
  await other.dispose();
});

it("launches with scratch memory are refused like the others", async () => {
  const backend = await openEmulated({ device });
  using a = backend.zeros("int8", [16, 1001]);
  using b = backend.zeros("int8", [64, 1001]);
  breakDevice(backend);
  const launchUntilLost = async () => {
    for (;;) {
      using out = backend.kernels.int8LinearMatmul({ a, b }).out;
      await out.read();
    }
  };
  await expect(launchUntilLost()).rejects.toEqual(lost);
  await backend.dispose();
});

it("other devices go on, and the lost one cannot be opened again", async () => {
  await using healthy = await openEmulated({ device: 0 });
  const broken = await openEmulated({ device });
  const { codes } = breakDevice(broken);
  await expect(codes.read()).rejects.toEqual(lost);
  expect((await quantize(healthy).codes.read()).length).toBe(2048);
  await healthy.synchronize();
  await broken.dispose();
  await expect(openEmulated({ device })).rejects.toThrow(/DEVICE_LOST/);
});

it("many reads in flight, and tensors that are dropped meanwhile", async () => {
  const backend = await openEmulated({ device });
  const tensors = Array.from({ length: 50 }, () => quantize(backend));
  const reads = tensors.map(({ codes }) => codes.read());
  breakDevice(backend);
  const late = tensors.map(({ absmax }) => absmax.read());
  for (const { codes } of tensors) codes.dispose();
  const settled = await Promise.allSettled([...reads, ...late]);
  // Those that came before the loss may have made it.
  for (const read of settled.slice(reads.length)) expect(read).toMatchObject({ status: "rejected", reason: lost });
  for (const read of settled) if (read.status === "rejected") expect(read.reason).toEqual(lost);
  await backend.dispose();
});
