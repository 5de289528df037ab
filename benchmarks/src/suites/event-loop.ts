/** How long the event loop waits while kernels run: the longest pause of a burst of calls, long ones and short ones mixed. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Backend, QuantizedTensor, Tensor } from "@halfbyte/core";
import type { Bench, Measurement } from "../case.js";
import { disposeAll } from "../kernel-calls.js";
import { normalValues } from "../product.js";
import { weightsOn } from "../weights.js";

const [n, k] = [4096, 4096] as const;
const bursts = 5;

interface Operands {
  readonly weight: QuantizedTensor;
  readonly prompt: Tensor<"float32">;
  readonly token: Tensor<"float32">;
}

export async function measureEventLoop({ backend }: Bench): Promise<Measurement> {
  const [weight] = (await weightsOn(backend, "nf4", n, k, 1)) as [QuantizedTensor];
  const prompt = backend.tensor("float32", [128, k], normalValues(128 * k, 2, 1));
  const token = backend.tensor("float32", [1, k], normalValues(k, 3, 1));
  // The first product packs the weight.
  await runBurst(backend, { weight, prompt, token });
  const times: number[] = [];
  for (let burst = 0; burst < bursts; burst++)
    times.push(await longestPause(() => runBurst(backend, { weight, prompt, token })));
  disposeAll([weight, prompt, token]);
  return {
    ours: [{ memory: null, times }],
    floor: null,
    otherFloors: [],
    peers: [],
    notMeasured: [],
    relativeError: null,
    accuracy: null,
  };
}

/** Nanoseconds. The loop's own timer counts in milliseconds, so an idle loop shows one or two. */
async function longestPause(work: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await nextTurn();
  delay.enable();
  await work();
  delay.disable();
  return delay.max;
}

/** About a second: a prompt in pieces, tokens, and a weight on its way there and back. */
async function runBurst(backend: Backend, { weight, prompt, token }: Operands): Promise<void> {
  const { kernels } = backend;
  for (let i = 0; i < 8; i++) {
    const { out } = kernels.dequantize4bit({ weight, dtype: "float32" });
    const copy = kernels.quantize4bit({ x: out, format: "nf4", blockSize: 64 });
    disposeAll([out, copy.codes, copy.absmax]);
    for (let j = 0; j < 4; j++) kernels.gemm4bit({ x: prompt, weight }).out.dispose();
    for (let j = 0; j < 50; j++) {
      const { out } = kernels.gemm4bit({ x: token, weight });
      await out.read();
      out.dispose();
    }
  }
  await backend.synchronize();
}
