/** One row times a 4-bit weight, as in decoding a token: every byte of the weight is read once, so bytes per second are the measure. */
import {
  type Backend,
  createQuantizedTensor,
  createRandom,
  type QuantizedTensor,
  referenceBackend,
  throwIfAborted,
} from "@halfbyte/core";
import type { Answering } from "../calls.js";
import { failureOf } from "../failure.js";
import type { BenchmarkProgress, Refusal, Timing } from "./adapter-calls.js";
import { isVisible, whenVisible } from "./visibility.js";

/** Rounds stop when there are so many, or so much time has gone into them. */
const [mostRounds, fewestRounds, budgetMs, roundMs] = [25, 5, 2000, 20];

type Context = Answering<BenchmarkProgress>;

export interface Contender {
  readonly name: Timing["backend"];
  readonly backend: Backend;
  /** A GPU that is played by the CPU. */
  readonly isSoftware: boolean;
}

/** A weight on the host: any codes do, the kernels do the same work for all of them. */
interface HostGemv {
  readonly size: number;
  readonly codes: Uint8Array;
  readonly absmax: Float32Array;
  readonly x: Float32Array;
}

function hostGemv(size: number): HostGemv {
  const random = createRandom(size);
  return {
    size,
    codes: Uint8Array.from({ length: size ** 2 / 2 }, () => 256 * random.uniform()),
    absmax: Float32Array.from({ length: size ** 2 / 64 }, () => 0.01 + 0.02 * random.uniform()),
    x: Float32Array.from({ length: size }, () => random.normal()),
  };
}

export async function benchmarkSize(size: number, contenders: readonly Contender[], context: Context): Promise<void> {
  context.progress({ doing: `Making a weight of ${size} × ${size}` });
  const host = hostGemv(size);
  const expected = await productOf(referenceBackend(), host);
  for (const contender of contenders) {
    context.progress({ doing: `${contender.name}: 1 × ${size} × ${size}` });
    context.progress({ timing: await timingOrRefusal(contender, host, expected, context) });
  }
}

async function productOf(backend: Backend, host: HostGemv): Promise<Float32Array> {
  using weight = weightOn(backend, host);
  using x = backend.tensor("float32", [1, host.size], host.x);
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  return (await out.read()) as Float32Array;
}

function weightOn(backend: Backend, { size, codes, absmax }: HostGemv): QuantizedTensor {
  return createQuantizedTensor({
    format: "nf4",
    shape: [size, size],
    dtype: "float32",
    blockSize: 64,
    codes: backend.tensor("uint8", [codes.length], codes),
    scales: { kind: "block", absmax: backend.tensor("float32", [absmax.length], absmax) },
  });
}

/** A backend without the kernel says so; an abort ends the benchmark. */
async function timingOrRefusal(
  { name, backend, isSoftware }: Contender,
  host: HostGemv,
  expected: Float32Array,
  context: Context,
): Promise<Timing | Refusal> {
  try {
    return { backend: name, isSoftware, ...(await timing(backend, host, expected, context)) };
  } catch (thrown) {
    throwIfAborted(context.signal, "The benchmark");
    return { backend: name, rows: host.size, columns: host.size, reason: failureOf(thrown) };
  }
}

async function timing(backend: Backend, host: HostGemv, expected: Float32Array, context: Context) {
  using weight = weightOn(backend, host);
  using x = backend.tensor("float32", [1, host.size], host.x);
  const explanation = backend.explain("gemm4bit", { x, weight });
  using out = backend.kernels.gemm4bit({ x, weight }).out;
  const found = (await out.read()) as Float32Array;
  const rounds = await measure(async (calls) => {
    for (let call = 0; call < calls; call++) backend.kernels.gemm4bit({ x, weight }, { out });
    await backend.synchronize();
  }, context);
  const ms = median(rounds);
  const read = host.codes.byteLength + host.absmax.byteLength + 2 * host.x.byteLength;
  return {
    rows: host.size,
    columns: host.size,
    ...("variant" in explanation ? explanation : { kernel: "", variant: "" }),
    ms,
    rounds: rounds.length,
    gigabytesPerSecond: read / ms / 1e6,
    deviation: deviation(found, expected),
  };
}

/** Milliseconds of one call, from rounds of as many as fill a few of them: the clock of a browser is coarse. */
async function measure(round: (calls: number) => Promise<void>, { signal, progress }: Context): Promise<number[]> {
  const timed = async (calls: number) => {
    const began = performance.now();
    await round(calls);
    return (performance.now() - began) / calls;
  };
  await round(1);
  const calls = Math.max(1, Math.min(1000, Math.ceil(roundMs / Math.max(0.01, await timed(2)))));
  const times: number[] = [];
  const began = performance.now();
  while (times.length < mostRounds && (times.length < fewestRounds || performance.now() - began < budgetMs)) {
    throwIfAborted(signal, "The benchmark");
    await whenVisible(signal, (paused) => progress({ paused }));
    const ms = await timed(calls);
    // A round during which the tab was hidden does not count.
    if (isVisible()) times.push(ms);
    await nextTask();
  }
  return times;
}

/** Lets messages in: that the tab is hidden, or that the benchmark is to stop. */
const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done));

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

function deviation(found: Float32Array, expected: Float32Array): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(found[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return most / largest;
}
