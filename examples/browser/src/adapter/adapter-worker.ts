/** The worker that looks at the adapter: what it is, whether its kernels are right, and how fast they are. */
import type { Backend, Reason } from "@halfbyte/core";
import { answerCalls } from "../calls.js";
import type { AdapterCalls, AdapterReport } from "./adapter-calls.js";
import { adapterFacts } from "./adapter-facts.js";
import { benchmarkSize } from "./gemv-benchmark.js";
import { type BackendName, described, isBackend, openDefault, openNamed } from "./open-backends.js";
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
  const [webgpu, cpu] = [await backend("webgpu"), await backend("cpu")];
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

answerCalls<AdapterCalls>({
  report,
  async benchmark({ sizes }, context) {
    const backends = new Map<BackendName, Backend>();
    for (const name of ["webgpu", "cpu"] as const) {
      const found = await backend(name);
      if (isBackend(found)) backends.set(name, found);
      else context.progress({ timing: { backend: name, rows: 0, columns: 0, reason: found } });
    }
    for (const size of sizes) await benchmarkSize(size, backends, context);
    return null;
  },
  async visibility({ visible }) {
    setVisible(visible);
    return null;
  },
});
