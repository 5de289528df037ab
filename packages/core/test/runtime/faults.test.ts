/** Contract §1, rule 3: what is known only later travels with the data, and is told once by whoever waits. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Backend, uploadTensor } from "../../src/backend.js";
import { halfbyteError } from "../../src/errors.js";
import { Fault, FaultLog } from "../../src/fault.js";
import { quantize } from "../../src/quantize.js";
import type { Tensor } from "../../src/tensor.js";
import { backendOn, codebook, floats, heavy, momentumStep, poisoned, turn } from "./backends.js";
import { collectGarbage } from "./collect-garbage.js";
import { expectCode, rejectionOf, thrownBy } from "./failure.js";
import { fakeDevice, lacking, losableDevice, withCheck, withLaunch } from "./fake-device.js";

const quantizeBlocks = (x: Tensor<"float32">, into = {}) =>
  x.backend.kernels.quantizeBlockwise({ x, code: codebook(x.backend), blockSize: 64 }, into);

const decode = (backend: Backend, { codes, absmax }: ReturnType<typeof quantizeBlocks>) =>
  backend.kernels.dequantizeBlockwise({ codes, absmax, code: codebook(backend), blockSize: 64, dtype: "float32" }).out;

/** read() rejects with the fault, every time. */
async function expectFault(tensor: Tensor, index = 70): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const { code, details } = await rejectionOf(tensor.read());
    expect([code, details["index"]]).toEqual(["NON_FINITE_INPUT", index]);
  }
}

describe("a fault travels", () => {
  test("to every output and everything computed from them, and to nothing else", async () => {
    const backend = backendOn();
    const [bad, good] = [poisoned(backend), floats(backend, [128])];
    const [faulty, fine] = [quantizeBlocks(bad), quantizeBlocks(good)];
    const derived = decode(backend, faulty) as Tensor<"float32">;
    const again = quantizeBlocks(derived);
    const tensors = [faulty.codes, faulty.absmax, derived, derived.reshape([2, 64]), again.codes, again.absmax];
    for (const tensor of tensors) await expectFault(tensor);
    for (const tensor of [bad, good, fine.codes, fine.absmax, decode(backend, fine)]) await tensor.read();
  });

  test("to handles that were made before, and through to()", async () => {
    const backend = backendOn();
    const out = backend.zeros("uint8", [128]);
    const handle = out.reshape([2, 64]);
    quantizeBlocks(poisoned(backend), { codes: out });
    await expectFault(handle);
    await expectCode(out.to(backendOn()), "NON_FINITE_INPUT");
  });

  test("when it becomes known only after the derived call", async () => {
    const backend = backendOn();
    heavy(backend).dispose();
    const derived = decode(backend, quantizeBlocks(poisoned(backend)));
    await expectFault(derived);
  });

  test("through composed operations and their hidden intermediates", async () => {
    const backend = backendOn(fakeDevice(lacking(["gemm4bit"])));
    using weight = await quantize(floats(backend, [2, 64]), { format: "nf4", nested: true });
    const x = decode(backend, quantizeBlocks(poisoned(backend))).reshape([2, 64]);
    const { out } = backend.kernels.gemm4bit({ x, weight });
    await expectFault(out);
    const fine = backend.kernels.gemm4bit({ x: floats(backend, [2, 64]), weight });
    await fine.out.read();
  });

  test("from a faulty weight through a composed operation", async () => {
    const backend = backendOn(fakeDevice(lacking(["gemm4bit"])));
    const { codes, absmax } = backend.kernels.quantize4bit({ x: poisoned(backend), format: "nf4", blockSize: 64 });
    const weight = { format: "nf4", shape: [2, 64], blockSize: 64, codes, scales: { kind: "block", absmax } };
    const { out } = backend.kernels.gemm4bit({ x: floats(backend, [1, 64]), weight: weight as never });
    await expectFault(out);
  });

  test("into everything an optimizer writes, and stays with the parameter", async () => {
    const backend = backendOn();
    const grad = decode(backend, quantizeBlocks(poisoned(backend)));
    const [param, state1] = [floats(backend, [128], 5), backend.zeros("float32", [128])];
    const update = (from: Tensor) =>
      backend.kernels.optimizerUpdate32bit({
        optimizer: "momentum",
        param,
        grad: from as Tensor<"float32">,
        state1,
        step: momentumStep,
      }).updateNorm;
    await param.read();
    const norm = update(grad);
    for (const tensor of [norm, param, state1]) await expectFault(tensor);
    const later = update(floats(backend, [128]));
    for (const tensor of [later, param, state1]) await expectFault(tensor);
  });

  test("no longer, once an output is overwritten", async () => {
    const backend = backendOn();
    const outputs = quantizeBlocks(poisoned(backend));
    await expectFault(outputs.codes);
    quantizeBlocks(floats(backend, [128]), outputs);
    await outputs.codes.read();
    await backend.synchronize();
  });

  test("quantize() of a whole tensor rejects when nested, and leaves nothing allocated", async () => {
    const backend = backendOn();
    const x = poisoned(backend);
    const before = backend.memory();
    await expectCode(quantize(x, { format: "nf4", nested: true }), "NON_FINITE_INPUT");
    expect(backend.memory()).toEqual(before);
  });
});

describe("synchronize()", () => {
  test("rejects once with each fault nobody has seen, in call order", async () => {
    const backend = backendOn();
    quantizeBlocks(poisoned(backend, 128, 7));
    quantizeBlocks(floats(backend, [128]));
    quantizeBlocks(poisoned(backend, 128, 9));
    expect((await rejectionOf(backend.synchronize())).details["index"]).toBe(7);
    expect((await rejectionOf(backend.synchronize())).details["index"]).toBe(9);
    await backend.synchronize();
  });

  test("does not tell again what a read() has told", async () => {
    const backend = backendOn();
    const first = quantizeBlocks(poisoned(backend, 128, 7));
    quantizeBlocks(poisoned(backend, 128, 9));
    await expectFault(decode(backend, first), 7);
    expect((await rejectionOf(backend.synchronize())).details["index"]).toBe(9);
    await backend.synchronize();
  });

  test("tells a fault whose tensors are disposed", async () => {
    const backend = backendOn();
    const { codes, absmax } = quantizeBlocks(poisoned(backend));
    for (const tensor of [codes, absmax]) tensor.dispose();
    await expectCode(backend.synchronize(), "NON_FINITE_INPUT");
  });

  test("a fault nobody asks about is no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listen);
    const backend = backendOn();
    for (let i = 0; i < 200; i++)
      for (const tensor of Object.values(quantizeBlocks(poisoned(backend)))) tensor.dispose();
    for (let i = 0; i < 5; i++) await turn();
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
  });
});

describe("the fault log stays small when nobody asks", () => {
  test("10 000 operations, turns of the event loop between", async () => {
    let [asked, most] = [0, 0];
    const check = async () => void asked++;
    const backend = backendOn(fakeDevice(withCheck("gemm", check)));
    using x = floats(backend, [1, 4]);
    for (let i = 1; i <= 10_000; i++) {
      backend.kernels.gemm({ x, weight: x }).out.dispose();
      if (i % 50 === 0) await turn();
      if (i % 50 === 0) most = Math.max(most, i - asked);
    }
    expect(most).toBeLessThan(200);
    await backend.synchronize();
    expect(asked).toBe(10_000);
  });

  test("what was asked about and is clean is let go, with everything its check holds on to", async () => {
    const log = new FaultLog();
    const held: WeakRef<object>[] = [];
    for (let i = 0; i < 1000; i++) {
      const large = { bytes: new Uint8Array(1000) };
      held.push(new WeakRef(large));
      log.add(new Fault(async () => void large.bytes));
      if (i % 100 === 0) await turn();
    }
    await turn();
    await collectGarbage();
    expect(held.filter((reference) => reference.deref()).length).toBeLessThan(100);
  });

  test("a fault that a tensor still carries has let go of its check", async () => {
    const checking = (large: object) => new Fault(async () => void large);
    const held: WeakRef<object>[] = [];
    const faults = Array.from({ length: 10 }, () => {
      const large = { bytes: new Uint8Array(1000) };
      held.push(new WeakRef(large));
      return checking(large);
    });
    for (const fault of faults) await fault.ask();
    await collectGarbage();
    expect(held.filter((reference) => reference.deref())).toEqual([]);
    expect(faults.every((fault) => fault.isClean)).toBe(true);
  });

  test("failures do not hide later faults from it, and the first ones are told in order", async () => {
    const log = new FaultLog();
    let asked = 0;
    const failing = (i: number) => new Fault(async () => Promise.reject(halfbyteError("KERNEL_FAILED", `${i}`)));
    for (let i = 0; i < 200; i++) log.add(failing(i));
    for (let i = 0; i < 5000; i++) {
      log.add(new Fault(async () => void asked++));
      if (i % 100 === 0) await turn();
    }
    await turn();
    expect(asked).toBeGreaterThan(4800);
    for (let i = 0; i < 200; i++) expect((await rejectionOf(log.tellFirst())).message).toBe(`${i}`);
    await log.tellFirst();
  });

  test("of endless failures the first thousand are kept", async () => {
    const log = new FaultLog();
    for (let i = 0; i < 3000; i++) {
      log.add(new Fault(async () => Promise.reject(halfbyteError("KERNEL_FAILED", `${i}`))));
      if (i % 100 === 0) await turn();
    }
    await turn();
    let told = 0;
    while (
      await log.tellFirst().then(
        () => false,
        () => true,
      )
    )
      told++;
    expect(told).toBeGreaterThanOrEqual(1000);
    expect(told).toBeLessThan(1200);
  });

  test("a parameter updated 2 000 times carries only what may still turn out bad", async () => {
    const backend = backendOn();
    const [param, grad, state1] = [1, 2, 3].map((seed) => floats(backend, [4], seed)) as [Tensor, Tensor, Tensor];
    const args = { optimizer: "momentum", param, grad, state1, step: momentumStep } as never;
    let most = 0;
    for (let i = 0; i < 2000; i++) {
      backend.kernels.optimizerUpdate32bit(args).updateNorm.dispose();
      if (i % 20 === 0) await turn();
      most = Math.max(most, (param as unknown as { block: { faults: unknown[] } }).block.faults.length);
    }
    expect(most).toBeLessThan(200);
    await param.read();
  });

  test("a check is asked once, however many look", async () => {
    let asked = 0;
    const fault = new Fault(async () => void asked++);
    await Promise.all([fault.ask(), fault.tell(), fault.ask()]);
    expect(asked).toBe(1);
    expect(fault.isClean).toBe(true);
  });
});

describe("late faults of the device", () => {
  const outOfMemory = () => Promise.reject(halfbyteError("OUT_OF_MEMORY", "the device ran out of memory"));

  test("late out-of-memory reaches what derives from the operation, and nothing else", async () => {
    const backend = backendOn(fakeDevice(withCheck("gemm", outOfMemory)));
    using x = floats(backend, [4, 64]);
    const { out } = backend.kernels.gemm({ x, weight: x });
    const derived = backend.kernels.quantize4bit({ x: out, format: "nf4", blockSize: 64 });
    const other = backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    for (const tensor of [out, derived.codes, derived.absmax]) await expectCode(tensor.read(), "OUT_OF_MEMORY");
    await other.codes.read();
    await backend.synchronize();
  });

  test("an exception inside a reference kernel is the fault of that operation alone", async () => {
    const noWeight = withLaunch("gemm", (run) => (args, out) => {
      const isChosen = args.x.shape[0] === 3;
      return run(isChosen ? { ...args, weight: undefined as never } : args, out);
    });
    const backend = backendOn(fakeDevice(noWeight));
    const weight = floats(backend, [4, 64]);
    const { out } = backend.kernels.gemm({ x: floats(backend, [3, 64]), weight });
    const other = backend.kernels.gemm({ x: floats(backend, [4, 64]), weight });
    await expectCode(out.read(), "KERNEL_FAILED");
    await other.out.read();
    await backend.synchronize();
  });
});

describe("host memory that cannot be had when it is first touched", () => {
  /** Fails to allocate `count` bytes, as a host without memory does. */
  function withoutRoomFor(count: number): void {
    const Real = Uint8Array;
    class Limited extends Real {
      constructor(...args: readonly unknown[]) {
        if (args[0] === count) throw new RangeError("Array buffer allocation failed");
        super(...(args as unknown as []));
      }
      static override [Symbol.hasInstance](value: unknown): boolean {
        return Real[Symbol.hasInstance](value);
      }
    }
    vi.stubGlobal("Uint8Array", Limited);
  }
  afterEach(() => void vi.unstubAllGlobals());

  test("is a fault of what needs it", async () => {
    withoutRoomFor(4321);
    const backend = backendOn();
    const codes = backend.zeros("uint8", [4321]);
    const absmax = backend.zeros("float32", [1]);
    const args = { codes, absmax, code: codebook(backend), blockSize: 4321, dtype: "float32" } as const;
    await expectCode(backend.kernels.dequantizeBlockwise(args).out.read(), "OUT_OF_MEMORY");
    await expectCode(codes.read(), "OUT_OF_MEMORY");
    await absmax.read();
    await backend.synchronize();
  });

  test("an upload that failed stays failed, even when there is room later", async () => {
    withoutRoomFor(4321);
    const backend = backendOn();
    async function* pieces() {
      yield new Uint8Array(4000);
      vi.unstubAllGlobals();
      yield new Uint8Array(321);
    }
    await expectCode((await uploadTensor(backend, "uint8", [4321], pieces())).read(), "OUT_OF_MEMORY");
  });

  test("read() has no room for its copy", async () => {
    const backend = backendOn(fakeDevice(() => ({ limits: { maxTensorBytes: Number.MAX_SAFE_INTEGER } })));
    await expectCode(backend.zeros("uint8", [2 ** 52]).read(), "OUT_OF_MEMORY");
  });
});

describe("a lost device", () => {
  test("rejects every read, refuses every call and closes the backend", async () => {
    const { device, lose, closed } = losableDevice();
    const backend = backendOn(device);
    const x = floats(backend, [64]);
    const pending = x.read();
    lose();
    await expectCode(pending, "DEVICE_LOST");
    await turn();
    const { code, remedy } = thrownBy(() => backend.zeros("float32", [1]));
    expect([code, remedy]).toEqual(["DEVICE_LOST", "Plug it in again."]);
    const quantizeIt = () => backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 });
    expect(thrownBy(quantizeIt).code).toBe("DEVICE_LOST");
    await expectCode(x.read(), "DEVICE_LOST");
    await expectCode(x.to(backendOn()), "DEVICE_LOST");
    await expectCode(backend.synchronize(), "DEVICE_LOST");
    x.dispose();
    await backend.dispose();
    expect(closed()).toBe(1);
    expect(backend.memory()).toMatchObject({ tensors: 0, bytes: 0 });
  });

  test("after n operations: those before are read, those after are not", async () => {
    const { device, lose } = losableDevice();
    let left = 3;
    const counting = withLaunch("gemm", (run) => (args, out) => {
      const check = run(args, out);
      if (--left === 0) lose();
      return check;
    });
    const backend = backendOn({ ...device, ...counting(device) });
    const x = floats(backend, [4, 4]);
    const run = () => backend.kernels.gemm({ x, weight: x }).out;
    await run().read();
    await run().read();
    await expectCode(run().read(), "DEVICE_LOST");
    expect(thrownBy(run).code).toBe("DEVICE_LOST");
  });
});
