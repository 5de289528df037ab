/** The page: two workers, and the two parts that talk to them. */
import type { AdapterCalls } from "./adapter/adapter-calls.js";
import { showAdapterWhenSeen } from "./adapter/adapter-view.js";
import { showBenchmark } from "./adapter/benchmark-view.js";
import { callerOf } from "./calls.js";
import { part } from "./dom.js";
import type { QuantizeCalls } from "./quantize/quantize-calls.js";
import { showQuantizer } from "./quantize/quantize-view.js";
import { showFailure } from "./show-failure.js";

const workerOf = (name: string): Worker =>
  new Worker(new URL(`./${name}.js`, import.meta.url), { type: "module", name });

const quantizer = callerOf<QuantizeCalls>(workerOf("quantize-worker"));
const adapter = callerOf<AdapterCalls>(workerOf("adapter-worker"));
const state = part("state", HTMLElement);

showQuantizer(quantizer);
showAdapterWhenSeen(adapter);
showBenchmark(adapter);

try {
  // From here on nothing is fetched.
  const [{ backend }] = await Promise.all([quantizer("ready", null), adapter("ready", null)]);
  state.textContent = `Ready, on ${backend}`;
} catch (thrown) {
  state.textContent = "Not ready";
  showFailure(part("quantize-failure", HTMLElement), thrown);
}
