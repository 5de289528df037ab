/** The worker that looks at the adapter: what it is, whether its kernels are right, and how fast they are. */
import type { Backend, Reason } from "@halfbyte/core";
import { answerCalls } from "../calls.js";
import type { AdapterCalls, AdapterReport, BenchmarkProgress } from "./adapter-calls.js";
import { adapterFacts } from "./adapter-facts.js";
import { breakKernel } from "./broken-kernel.js";
import { benchmarkSize, type Contender } from "./gemv-benchmark.js";
import { described, isBackend, isSoftware, openDefault, openForProducts, openNamed } from "./open-backends.js";
import { operationVerdicts } from "./operation-verdicts.js";
import { setVisible } from "./visibility.js";

async function report(): Promise<AdapterReport> {
  const chosen = await openDefault();
  const [cpu, webgpu] = [await openNamed("cpu"), await openNamed("webgpu")];
  const verdicts = (found: Backend | Reason) => (isBackend(found) ? operationVerdicts(found) : []);
  const summary = (found: Backend | Reason) => (isBackend(found) ? described(found) : found);
  return {
    adapter: await adapterFacts(),
    chosen,
    webgpu: summary(webgpu),
    cpu: summary(cpu),
    operations: { webgpu: verdicts(webgpu), cpu: verdicts(cpu) },
  };
}

/** Who cannot take part is told of. */
async function contendersFor(progress: (told: BenchmarkProgress) => void): Promise<Contender[]> {
  progress({ doing: "Opening the backends" });
  const [webgpu, cpu] = [await openForProducts(), await openNamed("cpu")];
  const contenders: Contender[] = [];
  for (const [name, found] of [
    ["webgpu", webgpu],
    ["cpu", cpu],
  ] as const) {
    if (isBackend(found))
      contenders.push({ name, backend: found, isSoftware: name === "webgpu" && (await isSoftware()) });
    else progress({ timing: { backend: name, rows: 0, columns: 0, reason: found } });
  }
  return contenders;
}

answerCalls<AdapterCalls>({
  async ready() {
    await openNamed("cpu");
    return null;
  },
  report,
  broken: breakKernel,
  async benchmark({ sizes }, context) {
    const contenders = await contendersFor(context.progress);
    for (const size of sizes) await benchmarkSize(size, contenders, context);
    return null;
  },
  async visibility({ visible }) {
    setVisible(visible);
    return null;
  },
});
