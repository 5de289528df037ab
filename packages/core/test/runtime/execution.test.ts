/** Contract §1, rules 1 and 2: call order, what is done when a call returns, and turns of the event loop. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend.js";
import type { Device } from "../../src/device.js";
import { storageOf } from "../../src/storage.js";
import type { Tensor } from "../../src/tensor.js";
import { backendOn, floats, heavy, momentumStep, normals, turn } from "./backends.js";
import { expectCode } from "./failure.js";
import { fakeDevice } from "./fake-device.js";

/** A backend whose device notes what it is asked to do. */
function noting(): { backend: Backend; log: string[] } {
  const log: string[] = [];
  const names = new Map<unknown, string>();
  const nameOf = (storage: unknown) => names.get(storage) ?? names.set(storage, `#${names.size}`).get(storage)!;
  const device = fakeDevice(
    (inner): Partial<Device> => ({
      write(target, ...rest) {
        log.push(`write ${nameOf(target)}`);
        inner.write(target, ...rest);
      },
      read(source, ...rest) {
        log.push(`read ${nameOf(source)}`);
        return inner.read(source, ...rest);
      },
      free(target) {
        log.push(`free ${nameOf(target)}`);
        inner.free(target);
      },
      select(op, args) {
        const launch = inner.select(op, args);
        if (!("run" in launch)) return launch;
        const run: typeof launch.run = (from, out) => {
          log.push(`${op} ${Object.values<Tensor>(out).map((tensor) => nameOf(storageOf(tensor)))}`);
          return launch.run(from, out);
        };
        return { ...launch, run };
      },
    }),
  );
  return { backend: backendOn(device), log };
}

describe("order", () => {
  test("every call reaches the device at once and in call order, dispose() included", async () => {
    const { backend, log } = noting();
    const x = floats(backend, [64]);
    const { codes, absmax } = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    x.dispose();
    const reading = codes.read();
    codes.dispose();
    expect(log).toEqual(["write #0", "quantize4bit #1,#2", "free #0", "read #1", "free #1"]);
    expect((await reading).length).toBe(32);
    await absmax.read();
  });

  test("reads between updates see the state at their place in the queue, whatever is ahead of them", async () => {
    const backend = backendOn();
    const ones = new Float32Array(1000).fill(1);
    heavy(backend).dispose();
    const [param, grad] = [ones, ones].map((data) => backend.tensor("float32", [1000], data)) as [Tensor, Tensor];
    const state1 = backend.zeros("float32", [1000]);
    const update = { optimizer: "momentum", param, grad, state1, step: momentumStep } as never;
    const reads = [param.read()];
    for (let i = 0; i < 3; i++) {
      backend.kernels.optimizerUpdate32bit(update);
      reads.push(param.read());
    }
    expect((await Promise.all(reads)).map((values) => values[999])).toEqual([1, 0.75, 0.5, 0.25]);
  });

  test("arguments may be disposed as soon as the call has returned, even when it waits in the queue", async () => {
    const [backend, quiet] = [backendOn(), backendOn()];
    const results = [backend, quiet].map((on) => {
      if (on === backend) heavy(on).dispose();
      using x = floats(on, [3, 64], 3);
      using weight = floats(on, [5, 64], 4);
      return on.kernels.gemm({ x, weight }).out.read();
    });
    const [behind, inline] = await Promise.all(results);
    expect(behind).toEqual(inline);
  });
});

describe("inline and sliced", () => {
  test("a small operation on an idle queue is done when its call returns", async () => {
    const backend = backendOn();
    using x = floats(backend, [64]);
    let inline = 0;
    // More than once: a pause of the machine may use up a turn's time.
    for (let i = 0; i < 10; i++) {
      await turn();
      let turned = false;
      setImmediate(() => (turned = true));
      await backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }).codes.read();
      if (!turned) inline++;
    }
    expect(inline).toBeGreaterThan(0);
  });

  test("a large one gives the event loop turns before it is done", async () => {
    const backend = backendOn();
    const out = heavy(backend);
    let turns = 0;
    const count = () => {
      turns++;
      pending = setImmediate(count);
    };
    let pending = setImmediate(count);
    await out.read();
    clearImmediate(pending);
    expect(turns).toBeGreaterThan(1);
  });

  test("timers run too, and calls made meanwhile wait behind", async () => {
    const backend = backendOn();
    const log: string[] = [];
    const large = heavy(backend).read();
    const small = floats(backend, [4]).read();
    const timer = new Promise((resolve) => setTimeout(resolve, 0));
    const note = (name: string) => () => void log.push(name);
    await Promise.all([timer.then(note("timer")), large.then(note("large")), small.then(note("small"))]);
    expect(log[0]).toBe("timer");
  });
});

describe("uploads", () => {
  test("the bytes are taken before tensor() returns, on an idle queue and on a busy one", async () => {
    const backend = backendOn();
    const data = normals(5000);
    const kept = data.slice();
    const first = backend.tensor("float32", [5000], data);
    heavy(backend).dispose();
    const second = backend.tensor("float32", [5000], data);
    data.fill(7);
    expect(await first.read()).toEqual(kept);
    expect(await second.read()).toEqual(kept);
  });

  test("raw bytes at an odd offset, and a Node Buffer whose slices are views", async () => {
    const backend = backendOn();
    const values = normals(100);
    const bytes = Buffer.alloc(401);
    bytes.set(new Uint8Array(values.buffer), 1);
    const tensor = backend.tensor("float32", [100], bytes.subarray(1) as unknown as Uint8Array);
    bytes.fill(0);
    expect(await tensor.read()).toEqual(values);
  });

  test("an adopted array is the caller's again after synchronize()", async () => {
    const backend = backendOn();
    heavy(backend).dispose();
    const data = normals(5000);
    const kept = data.slice();
    const tensor = backend.tensor("float32", [5000], data, { adopt: true });
    await backend.synchronize();
    data.fill(7);
    expect(await tensor.read()).toEqual(kept);
  });

  test("the shape is copied", () => {
    const shape = [2, 3];
    const tensor = backendOn().zeros("float32", shape);
    shape[0] = 9;
    expect(tensor.shape).toEqual([2, 3]);
  });
});

describe("read()", () => {
  test("gives a fresh copy each time", async () => {
    const backend = backendOn();
    using tensor = floats(backend, [10]);
    const first = await tensor.read();
    first.fill(3);
    expect(await tensor.read()).toEqual(normals(10));
  });

  test("empty tensors are tensors", async () => {
    const backend = backendOn();
    expect(await backend.zeros("int32", [0, 5]).read()).toEqual(new Int32Array(0));
    using x = backend.zeros("float32", [0, 64]);
    using weight = floats(backend, [3, 64]);
    const { out } = backend.kernels.gemm({ x, weight });
    expect(out.shape).toEqual([0, 3]);
    expect((await out.read()).length).toBe(0);
  });

  test("an aborted one rejects; the tensor and the queue are as before", async () => {
    const backend = backendOn();
    const tensor = floats(backend, [2_000_000]);
    await expectCode(tensor.read({ signal: AbortSignal.abort() }), "ABORTED");
    heavy(backend).dispose();
    const controller = new AbortController();
    const reading = tensor.read({ signal: controller.signal });
    controller.abort();
    await expectCode(reading, "ABORTED");
    expect((await tensor.read())[1_999_999]).toBe(normals(2_000_000)[1_999_999]);
    await backend.synchronize();
  });

  test("to() moves between backends only when asked, and stays where it is already", async () => {
    const [here, there] = [backendOn(), backendOn()];
    const tensor = floats(here, [6]);
    const moved = await tensor.to(there);
    expect(moved.backend).toBe(there);
    expect(await moved.read()).toEqual(await tensor.read());
    const same = await tensor.to(here);
    tensor.dispose();
    expect(await same.read()).toEqual(normals(6));
  });
});
