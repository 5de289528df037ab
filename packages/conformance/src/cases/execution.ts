/** Contract §1: order, immutability, lifetimes, faults that travel with the data, and memory that comes back. */
import { type Backend, type Float, isHalfbyteError, quantize, type Tensor } from "@halfbyte/core";
import { describe, expect, test } from "vitest";
import { differenceInBits } from "../judge/compare.js";
import { type Elements, readElements } from "../judge/elements.js";
import { normals } from "./data.js";
import { allSamples, runSample, sampleStep, sampleWeight } from "./samples.js";
import { expectSameBits, expectValues, ownAll, type Suite, scoped } from "./suite.js";

export function executionCases(suite: Suite): void {
  describe("execution", () => {
    test("operations take effect in call order", () => inCallOrder(suite));
    test("only inout arguments change", () => argumentsStay(suite));
    test("`into` reuses tensors and gives the same results", () => reuse(suite));
    test("an upload takes its bytes before the call returns", () => uploadCopies(suite));
    test("read() gives a fresh copy, of any length", () => readCopies(suite));
    test("zeros() are zero after other tensors were there", () => zeroed(suite));
    test("handles are counted: reshape adds one, dispose drops one", () => handles(suite));
    test("a tensor may be disposed right after its last use is enqueued", () => disposedEarly(suite));
    test("an aborted read rejects and nothing else changes", () => abortedRead(suite));
    test("memory() returns to its start", () => memoryReturns(suite));
    test("a closed backend refuses work", () => closed(suite));
  });
  describe("faults", () => {
    test("a non-finite input faults everything computed from it, and nothing else", () => faultTravels(suite));
    test("synchronize() tells a fault that nobody has seen, once", () => faultIsToldOnce(suite));
    test("nonFinite: propagate gives what the reference kernels give", () => propagate(suite));
    test("an overwritten output is free of the fault it carried", () => faultEndsWithData(suite));
  });
}

/** Reads between two updates of the same parameter see the state at their place in the queue. */
async function inCallOrder({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const size = 50_000;
    const param = own(backend.tensor("float32", [size], new Float32Array(size).fill(1)));
    const grad = own(backend.tensor("float32", [size], new Float32Array(size).fill(1)));
    const state1 = own(backend.zeros("float32", [size]));
    const step = { ...sampleStep, step: 1, lr: 0.25, weightDecay: 0, beta1: 0 };
    const update = () =>
      own(backend.kernels.optimizerUpdate32bit({ optimizer: "momentum", param, grad, state1, step }).updateNorm);
    const reads = [param.read()];
    for (let i = 0; i < 3; i++) {
      update();
      reads.push(param.read());
    }
    const seen = await Promise.all(reads);
    expect(seen.map((values) => values[0])).toEqual([1, 0.75, 0.5, 0.25]);
    for (const values of seen) expect(values.every((value) => value === values[0])).toBe(true);
  });
}

async function argumentsStay({ backend }: Suite): Promise<void> {
  for (const sample of allSamples(backend)) {
    await scoped(async (own) => {
      for (const tensor of Object.values(sample.tensors)) own(tensor);
      const before = await snapshot(sample.tensors);
      ownAll(own, runSample(backend, sample));
      const changed = await changedNames(sample.tensors, before);
      expect(changed.sort(), sample.op).toEqual([...sample.inout].sort());
    });
  }
}

type Snapshot = Readonly<Record<string, Elements>>;

async function snapshot(tensors: Readonly<Record<string, Tensor>>): Promise<Snapshot> {
  const entries = Object.entries(tensors).map(async ([name, tensor]) => [name, await readElements(tensor)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function changedNames(tensors: Readonly<Record<string, Tensor>>, before: Snapshot): Promise<string[]> {
  const after = await snapshot(tensors);
  return Object.keys(before).filter((name) => differenceInBits(before[name]!, after[name]!) !== undefined);
}

async function reuse({ backend }: Suite): Promise<void> {
  for (const sample of allSamples(backend).filter(({ inout }) => inout.length === 0)) {
    await scoped(async (own) => {
      for (const tensor of Object.values(sample.tensors)) own(tensor);
      const first = ownAll(own, runSample(backend, sample));
      const stale = ownAll(own, emptyLike(backend, first));
      const tensors = backend.memory().tensors;
      const second = runSample(backend, sample, stale);
      expect(backend.memory().tensors, sample.op).toBe(tensors);
      for (const name of Object.keys(first)) {
        expect(second[name], sample.op).toBe(stale[name]);
        await expectSameBits(second[name]!, first[name]!);
      }
    });
  }
}

/** Tensors of the same dtypes and shapes, full of other bytes: what is not written shows. */
function emptyLike(backend: Backend, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const filled = ({ dtype, shape, byteLength }: Tensor) =>
    backend.tensor(dtype, shape, new Uint8Array(byteLength).fill(0x5a));
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, filled(tensor)]));
}

async function uploadCopies({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const data = normals(10_000, 1);
    const kept = data.slice();
    const tensor = own(backend.tensor("float32", [data.length], data));
    data.fill(7);
    await expectValues(tensor, kept);
    // A view that starts at an odd byte.
    const bytes = new Uint8Array(kept.buffer.byteLength + 1);
    bytes.set(new Uint8Array(kept.buffer), 1);
    await expectValues(own(backend.tensor("float32", [kept.length], bytes.subarray(1))), kept);
  });
}

async function readCopies({ backend }: Suite): Promise<void> {
  for (const size of [0, 1, 3, 5, 63, 65, 4097, 300_001]) {
    await scoped(async (own) => {
      const data = Uint8Array.from({ length: size }, (_, i) => i * 31);
      const tensor = own(backend.tensor("uint8", [size], data));
      const first = await tensor.read();
      expect(first.length).toBe(size);
      first.fill(9);
      await expectValues(tensor, data);
    });
  }
}

/** Storage is pooled: what a disposed tensor held must not shine through. */
async function zeroed({ backend }: Suite): Promise<void> {
  for (let i = 0; i < 5; i++) {
    backend.tensor("uint8", [1000 + i], new Uint8Array(1000 + i).fill(0xff)).dispose();
    await scoped(async (own) => {
      await expectValues(own(backend.zeros("uint8", [1000 + i])), new Uint8Array(1000 + i));
    });
  }
}

async function handles({ backend }: Suite): Promise<void> {
  const start = backend.memory();
  const tensor = backend.tensor("float32", [2, 3], normals(6, 1));
  const values = await tensor.read();
  const { bytes } = backend.memory();
  const reshaped = tensor.reshape([3, 2]);
  expect(reshaped.shape).toEqual([3, 2]);
  expect(backend.memory()).toMatchObject({ bytes, tensors: start.tensors + 2 });
  tensor.dispose();
  tensor.dispose();
  expect(tensor.disposed).toBe(true);
  expect(backend.memory()).toMatchObject({ bytes, tensors: start.tensors + 1 });
  await expectValues(reshaped, values);
  reshaped.dispose();
  expect(backend.memory()).toMatchObject({ bytes: start.bytes, tensors: start.tensors });
}

async function disposedEarly({ backend, oracle }: Suite): Promise<void> {
  const product = (on: Backend): Tensor<Float> => {
    const weight = sampleWeight(on);
    const x = on.tensor("float32", [100, 64], normals(6400, 3));
    const { out } = on.kernels.gemm4bit({ x, weight });
    x.dispose();
    weight.dispose();
    // Takes the place of what was freed, if it is reused too early.
    on.tensor("float32", [100, 64], new Float32Array(6400).fill(1e9)).dispose();
    return out;
  };
  await scoped(async (own) => {
    // Keeps the queue busy, so that nothing after it runs inline at its call.
    const busy = own(backend.tensor("float32", [1 << 20], normals(1 << 20, 6)));
    ownAll(own, backend.kernels.quantize4bit({ x: busy, format: "nf4", blockSize: 64 }));
    const [found, expected] = await Promise.all([own(product(backend)).read(), own(product(oracle)).read()]);
    const largest = Math.max(...Array.from(expected, Math.abs));
    expect(found.every((value, i) => Math.abs(value - expected[i]!) <= largest * 1e-4)).toBe(true);
  });
}

async function abortedRead({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const data = normals(100_000, 4);
    const tensor = own(backend.tensor("float32", [data.length], data));
    await expectCode(tensor.read({ signal: AbortSignal.abort() }), "ABORTED");
    const controller = new AbortController();
    const pending = tensor.read({ signal: controller.signal });
    controller.abort();
    // It may have been done already; if not, it rejects with this code and no other.
    await pending.catch((error: unknown) => expect(codeOf(error)).toBe("ABORTED"));
    await expectValues(tensor, data);
    await backend.synchronize();
  });
}

async function memoryReturns(suite: Suite): Promise<void> {
  // Of its own: the garbage collector may take what other tests left behind.
  await using backend = await suite.openAnother();
  const start = backend.memory();
  for (const sample of allSamples(backend)) {
    const outputs = Object.values(runSample(backend, sample));
    expect(backend.memory().bytes, sample.op).toBeGreaterThan(start.bytes);
    for (const tensor of [...outputs, ...Object.values(sample.tensors)]) tensor.dispose();
    if ("code" in sample.args) (sample.args.code as Tensor).dispose();
  }
  using x = backend.tensor("float32", [200], normals(200, 1));
  (await quantize(x, { format: "nf4", blockSize: 64, nested: true })).dispose();
  x.dispose();
  await backend.synchronize();
  expect(backend.memory()).toEqual(start);
}

async function closed(suite: Suite): Promise<void> {
  const backend = await suite.openAnother();
  const tensor = backend.tensor("float32", [3], normals(3, 1));
  await backend.dispose();
  await backend.dispose();
  expect(codeThrown(() => backend.zeros("float32", [1]))).toBe("BACKEND_CLOSED");
  expect(codeThrown(() => backend.kernels.quantize4bit({ x: tensor, format: "nf4", blockSize: 64 }))).toBe(
    "BACKEND_CLOSED",
  );
  await expectCode(tensor.read(), "BACKEND_CLOSED");
  tensor.dispose();
}

/** 300 values, not finite at 130 and 70. */
function poisoned(): Float32Array {
  const data = normals(300, 1);
  data[130] = Number.NaN;
  data[70] = Number.NEGATIVE_INFINITY;
  return data;
}

async function faultTravels({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const [bad, good] = [poisoned(), normals(300, 2)].map((data) => own(backend.tensor("float32", [300], data)));
    const code = own(
      backend.tensor(
        "float32",
        [256],
        new Float32Array(256).map((_, i) => i / 128 - 1),
      ),
    );
    const faulty = ownAll(own, backend.kernels.quantizeBlockwise({ x: bad!, code, blockSize: 64 }));
    const fine = ownAll(own, backend.kernels.quantizeBlockwise({ x: good!, code, blockSize: 64 }));
    const derived = own(backend.kernels.dequantizeBlockwise({ ...faulty, code, blockSize: 64, dtype: "float32" }).out);
    const handle = own(derived.reshape([3, 100]));
    for (const tensor of [faulty.codes, faulty.absmax, derived, handle]) await expectFault(tensor, 70);
    for (const tensor of [bad!, good!, fine.codes, fine.absmax]) await tensor.read();
    // Seen already: nothing is left to tell.
    await backend.synchronize();
    await expectFaultOf4bitAndRows(backend, own, bad!);
  });
  await backend.synchronize();
}

async function expectFaultOf4bitAndRows(
  backend: Backend,
  own: <T extends Disposable>(resource: T) => T,
  bad: Tensor<"float32"> | Tensor,
): Promise<void> {
  const x = bad as Tensor<"float32">;
  await expectFault(ownAll(own, backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 })).absmax, 70);
  await expectFault(
    ownAll(own, backend.kernels.int8VectorwiseQuant({ x: own(x.reshape([3, 100])), threshold: 6 })).q,
    70,
  );
  await expectCode(quantize(x, { format: "nf4", blockSize: 64, nested: true }), "NON_FINITE_INPUT");
}

/** read() rejects with the lowest flat index, every time. */
async function expectFault(tensor: Tensor, index: number): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const error = await tensor.read().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(codeOf(error)).toBe("NON_FINITE_INPUT");
    expect(isHalfbyteError(error) && error.details["index"]).toBe(index);
  }
}

async function faultIsToldOnce({ backend }: Suite): Promise<void> {
  await backend.synchronize();
  await scoped(async (own) => {
    const x = own(backend.tensor("float32", [300], poisoned()));
    ownAll(own, backend.kernels.quantize4bit({ x, format: "nf4", blockSize: 64 }));
    await expectCode(backend.synchronize(), "NON_FINITE_INPUT");
    await backend.synchronize();
  });
}

async function propagate({ backend, oracle }: Suite): Promise<void> {
  await scoped(async (own) => {
    for (const format of ["nf4", "fp4"]) {
      const [found, expected] = [backend, oracle].map((on) => {
        const x = own(on.tensor("float32", [300], poisoned()));
        return ownAll(own, on.kernels.quantize4bit({ x, format, blockSize: 64, nonFinite: "propagate" }));
      });
      await expectSameBits(found!.codes, expected!.codes);
      await expectSameBits(found!.absmax, expected!.absmax);
    }
  });
  await backend.synchronize();
}

async function faultEndsWithData({ backend }: Suite): Promise<void> {
  await scoped(async (own) => {
    const [bad, good] = [poisoned(), normals(300, 2)].map((data) => own(backend.tensor("float32", [300], data)));
    const outputs = ownAll(own, backend.kernels.quantize4bit({ x: bad!, format: "nf4", blockSize: 64 }));
    await expectFault(outputs.codes, 70);
    backend.kernels.quantize4bit({ x: good!, format: "nf4", blockSize: 64 }, outputs);
    await outputs.codes.read();
    await backend.synchronize();
  });
}

const codeOf = (error: unknown): string => (isHalfbyteError(error) ? error.code : String(error));

/** The code of what `body` throws. */
export function codeThrown(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return codeOf(error);
  }
  return "nothing was thrown";
}

export async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  const found = await promise.then(() => "nothing was thrown", codeOf);
  expect(found).toBe(code);
}
