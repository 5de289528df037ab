/** Several GPUs in one process: each with its own memory and streams, chosen by number, and seen as CUDA_VISIBLE_DEVICES wants it. */
import { spawnSync } from "node:child_process";
import type { Backend } from "@halfbyte/core";
import { deviceOf } from "@halfbyte/core";
import type { NativeDevice } from "@halfbyte/native";
import { beforeEach, describe, expect, it } from "vitest";
import { deviceAddressOf } from "../src/device-memory.js";
import { emulatedLibrary, noEmulation, openEmulated } from "./emulated.js";

process.env["HALFBYTE_EMULATED_DEVICES"] = "3";

beforeEach(({ skip }) => {
  if (noEmulation) skip(noEmulation);
});

const values = Float32Array.from({ length: 1000 }, (_, i) => Math.cos(i));

async function quantized(backend: Backend) {
  using x = backend.tensor("float32", [values.length], values);
  const { codes, absmax } = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
  return { codes: await codes.read(), absmax: await absmax.read() };
}

describe("devices of one process", () => {
  it("work side by side, and a tensor goes from one to the other by to()", async () => {
    await using first = await openEmulated({ device: 0 });
    await using second = await openEmulated({ device: 1 });
    expect([first.name, second.name]).toEqual(["cuda:0", "cuda:1"]);
    const [one, other] = await Promise.all([quantized(first), quantized(second)]);
    expect(one).toEqual(other);
    using x = first.tensor("float32", [values.length], values);
    using moved = await x.to(second);
    expect(moved.backend).toBe(second);
    expect(await moved.read()).toEqual(values);
  });

  it("memory that one has used up, another still has", async () => {
    process.env["HALFBYTE_EMULATED_MEMORY"] = "1000000";
    try {
      await using first = await openEmulated({ device: 0 });
      await using second = await openEmulated({ device: 1 });
      using held = first.zeros("uint8", [900_000]);
      expect(() => first.zeros("uint8", [900_000])).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
      using there = second.zeros("uint8", [900_000]);
      expect([held.size, there.size]).toEqual([900_000, 900_000]);
    } finally {
      delete process.env["HALFBYTE_EMULATED_MEMORY"];
    }
  });

  it("one that is not there cannot be opened", async () => {
    await expect(openEmulated({ device: 3 })).rejects.toThrow(/INVALID_ARGUMENT.*error 101/);
    await expect(openEmulated({ device: -1 })).rejects.toThrow(/INVALID_ARGUMENT.*error 101/);
  });

  // What core refuses before, a GPU would answer with an error that nothing recovers from: the emulated one does, too.
  it("a kernel that is given another device's memory is seen", async () => {
    await using first = await openEmulated({ device: 0 });
    const last = await openEmulated({ device: 2 });
    using x = first.tensor("float32", [values.length], values);
    expect(() => last.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 })).toThrow(
      expect.objectContaining({ code: "WRONG_BACKEND" }),
    );
    await last.synchronize();
    const { queue } = deviceOf(last) as unknown as NativeDevice;
    const [there, out] = [deviceAddressOf(x), deviceAddressOf(last.zeros("float32", [values.length]))];
    const launch = async () => {
      queue.enqueue("hb_dequantize_blockwise", there, there, there, 64, 64, 0, out, 0);
      await last.synchronize();
    };
    await expect(launch()).rejects.toMatchObject({ code: "DEVICE_LOST" });
    expect(await x.read()).toEqual(values);
    await last.dispose();
  });
});

/** In a process of its own, as the environment counts at the first call: the devices that can be opened. */
const child = `
  const library = require("koffi").load(process.argv[1]);
  const create = library.func("hb_queue_create", "int32_t", ["int32_t", "int32_t", "_Out_ void **"]);
  const error = library.func("hb_last_error", "int32_t", []);
  const index = library.func("hb_other_physical", "int32_t", ["int32_t"]);
  const opened = [0, 1, 2, 3, 4].filter((device) => create(device, 0, [null]) === 0);
  console.log(JSON.stringify({ devices: opened.map(index), error: error() }));
  process.exit();`;

describe("CUDA_VISIBLE_DEVICES", () => {
  it.for([
    [undefined, [0, 1, 2, 3]],
    ["2", [2]],
    ["3,1", [3, 1]],
    ["0,1,2,3", [0, 1, 2, 3]],
    ["1,9,2", [1]],
    ["1,-1,2", [1]],
    ["2,2", [2]],
    ["", []],
    ["-1", []],
    ["none", []],
  ] as const)("%j of four devices", ([visible, devices]) => {
    const { CUDA_VISIBLE_DEVICES: _own, ...rest } = process.env;
    const env = {
      ...rest,
      HALFBYTE_EMULATED_DEVICES: "4",
      ...(visible !== undefined && { CUDA_VISIBLE_DEVICES: visible }),
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", child, emulatedLibrary()], {
      cwd: import.meta.dirname,
      encoding: "utf8",
      env,
    });
    expect(status, stderr).toBe(0);
    // No such device, or none at all.
    expect(JSON.parse(stdout)).toEqual({ devices, error: devices.length === 0 ? 100 : 101 });
  });
});
