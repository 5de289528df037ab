/** The WebAssembly tier: where its module comes from, and that it works beside the event loop and within its memory. */
import { readFileSync } from "node:fs";
import { type Backend, createBackend, type Device, openBackend, quantize, type Storage } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { cpu } from "../src/index.js";
import { largestTensor } from "../src/wasm/tier.js";
import { wasmFiles } from "../src/wasm-files.js";
import { forgetSelfTests } from "./conformance.js";

forgetSelfTests();

const bytes = () => readFileSync(wasmFiles.wasm());
const open = (options: Parameters<typeof cpu>[0] = {}): Promise<Backend> =>
  openBackend([cpu({ tier: "wasm", ...options })], { order: ["cpu"], selfTest: false });
const inputOf = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7));

describe("the module", () => {
  it("imports nothing", () => expect(WebAssembly.Module.imports(new WebAssembly.Module(bytes()))).toEqual([]));

  const sources = {
    bytes: async () => bytes(),
    module: async () => WebAssembly.compile(bytes()),
    URL: async () => wasmFiles.wasm(),
    text: async () => wasmFiles.wasm().href,
  };
  it.each(Object.entries(sources))("may be given as %s", async (_, source) => {
    await using backend = await open({ wasm: await source() });
    expect(backend.tier).toBe("wasm");
  });

  it.each([
    ["LIBRARY_LOAD_FAILED", Uint8Array.of(1, 2, 3)],
    ["LIBRARY_WRONG_KIND", Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)],
    ["LIBRARY_NOT_FOUND", "file:///nowhere/halfbyte_cpu.wasm"],
  ])("is refused with %s", async (code, wasm) => {
    await expect(cpu({ tier: "wasm", wasm }).open()).rejects.toMatchObject({ code });
  });
});

describe("the event loop", () => {
  it("keeps turning while a large operation runs", async () => {
    await using backend = await open();
    const [m, side] = [64, 1024];
    using x = backend.tensor("float32", [m, side], inputOf(m * side));
    using w = backend.tensor("float32", [side, side], inputOf(side * side));
    const weight = await quantize(w, { format: "nf4" });
    await backend.synchronize();
    const { out } = backend.kernels.gemm4bit({ x, weight, accuracy: "exact" });
    let turns = 0;
    let reading = true;
    const tick = () => {
      turns++;
      if (reading) setImmediate(tick);
    };
    tick();
    const found = await out.read();
    reading = false;
    // Milliseconds of work, in slices of four at most; how long each one was is for the benchmark to say.
    expect(turns).toBeGreaterThan(1);
    expect(found.every(Number.isFinite)).toBe(true);
  });

  it("gives results in order while the queue holds work, reads and uploads", async () => {
    await using backend = await open();
    const size = 60_000;
    using x = backend.tensor("float32", [size], inputOf(size));
    const first = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    const early = first.codes.read();
    const again = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }, { codes: first.codes });
    using upload = backend.tensor("float32", [size], inputOf(size));
    const [codes, later, copied] = await Promise.all([early, again.codes.read(), upload.read()]);
    expect(later).toEqual(codes);
    expect(copied).toEqual(inputOf(size));
  });
});

describe("memory", () => {
  it("grows as tensors need it, and stays right", async () => {
    await using backend = await open();
    using small = backend.tensor("float32", [1000], inputOf(1000));
    using large = backend.zeros("uint8", [300 << 20]);
    expect(await small.read()).toEqual(inputOf(1000));
    expect(large.byteLength).toBe(300 << 20);
  });

  it("a tensor that no 32-bit memory holds is refused, and the limit is said", async () => {
    await using backend = await open();
    expect(backend.limits.maxTensorBytes).toBe(largestTensor);
    const allocate = () => backend.zeros("float32", [2 ** 29]);
    expect(allocate).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    expect(allocate).toThrow(String(largestTensor));
  });

  it("when it is full, operations fail with OUT_OF_MEMORY and the rest goes on", async () => {
    const device = await cpu({ tier: "wasm" }).open();
    const selfTest = { cases: 0, ms: 0, cached: false };
    await using backend = createBackend(device, { chosen: "cpu", skipped: [], selfTest });
    // Widening x takes 64 MiB more than there are.
    using x = backend.zeros("bfloat16", [4096, 4096]);
    using weight = backend.zeros("bfloat16", [2, 4096]);
    const filling = fill(device);
    const { out } = backend.kernels.gemm({ x, weight });
    await expect(out.read()).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    for (const storage of filling) device.free(storage);
    const { out: second } = backend.kernels.gemm({ x, weight });
    expect((await second.read()).every((value) => value === 0)).toBe(true);
  });

  /** Leaves less than 16 MiB. Pages that nobody touches cost nothing. */
  function fill(device: Device): Storage[] {
    const taken: Storage[] = [];
    for (let size = 2 ** 30; size >= 2 ** 24; )
      try {
        taken.push(device.allocate(size, false));
      } catch {
        size /= 2;
      }
    return taken;
  }
});
