/** The worker that looks at the adapter: what it is, whether its kernels are right, and how fast they are. */
import type { Backend, Reason } from "@halfbyte/core";
import { answerCalls } from "../calls.js";
import type { AdapterCalls, AdapterReport, BenchmarkProgress } from "./adapter-calls.js";
import { adapterFacts } from "./adapter-facts.js";
import { breakKernel } from "./broken-kernel.js";
import { benchmarkSize, type Contender } from "./gemv-benchmark.js";
import { type BackendName, described, isBackend, isSoftware, openDefault, openNamed } from "./open-backends.js";
import { operationVerdicts } from "./operation-verdicts.js";
import { setVisible } from "./visibility.js";

const opened = new Map<BackendName, Backend>();

/** Kept open until it is lost. */
async function backend(name: BackendName): Promise<Backend | Reason> {
  const known = opened.get(name);
  if (known && (await isAlive(known))) return known;
  const fresh = await openNamed(name);
  if (isBackend(fresh)) opened.set(name, fresh);
  else opened.delete(name);
  return fresh;
}

const isAlive = (known: Backend): Promise<boolean> =>
  known.synchronize().then(
    () => true,
    () => false,
  );

async function report(): Promise<AdapterReport> {
  const [cpu, webgpu] = [await backend("cpu"), await backend("webgpu")];
  const verdicts = (found: Backend | Reason) => (isBackend(found) ? operationVerdicts(found) : []);
  const summary = (found: Backend | Reason) => (isBackend(found) ? described(found) : found);
  return {
    adapter: await adapterFacts(),
    chosen: await openDefault(),
    webgpu: summary(webgpu),
    cpu: summary(cpu),
    operations: { webgpu: verdicts(webgpu), cpu: verdicts(cpu) },
  };
}

/** Who cannot take part is told of. */
async function contendersFor(progress: (told: BenchmarkProgress) => void): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const name of ["webgpu", "cpu"] as const) {
    const found = await backend(name);
    if (isBackend(found)) contenders.push({ name, backend: found, isSoftware: await isSoftware(name) });
    else progress({ timing: { backend: name, rows: 0, columns: 0, reason: found } });
  }
  return contenders;
}

answerCalls<AdapterCalls>({
  async ready() {
    await backend("cpu");
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
