/** The backends of this page, opened when they are needed and kept until they are lost. */
import { cpu } from "@halfbyte/backend-cpu";
import { webgpu } from "@halfbyte/backend-webgpu";
import { type Backend, type BackendProvider, type OpName, openBackend, type Reason } from "@halfbyte/core";
import { reasonOf } from "../failure.js";
import type { OpenedBackend } from "./adapter-calls.js";

/** What the benchmark asks for: to compile and test the kernels of everything else would take it longer. */
const productOperations: readonly OpName[] = ["gemm4bit", "gemm", "dequantize4bit"];

const providers = {
  webgpu: () => webgpu(),
  "webgpu for products": () => webgpu({ operations: productOperations }),
  cpu: () => cpu(),
} satisfies Readonly<Record<string, () => BackendProvider>>;
type Kept = keyof typeof providers;

const kept = new Map<Kept, Backend>();

async function alive(kind: Kept): Promise<Backend | undefined> {
  const backend = kept.get(kind);
  return backend?.synchronize().then(
    () => backend,
    () => undefined,
  );
}

/** What an application gets. WebGPU is kept: its self-test has just run. */
export async function openDefault(): Promise<OpenedBackend> {
  const backend = await openBackend([webgpu(), cpu()]);
  if (backend.name === "webgpu" && !(await alive("webgpu"))) kept.set("webgpu", backend);
  else await backend.dispose();
  return described(backend);
}

/** Exactly that one, software adapters included, or why not. */
export async function openNamed(kind: Kept): Promise<Backend | Reason> {
  const known = await alive(kind);
  if (known) return known;
  const provider = providers[kind]();
  const backend = await openBackend([provider], { order: [provider.name] });
  if (backend.report.chosen === provider.name) kept.set(kind, backend);
  else await backend.dispose();
  return kept.get(kind) === backend ? backend : reasonOf(backend.report.skipped[0]!);
}

/** WebGPU as it is open already, or with kernels for products alone. */
export const openForProducts = async (): Promise<Backend | Reason> =>
  (await alive("webgpu")) ?? openNamed("webgpu for products");

export const isBackend = (opened: Backend | Reason): opened is Backend => "kernels" in opened;

export const described = ({ name, tier, report }: Backend): OpenedBackend => ({ name, tier, report });

/** Whether WebGPU is played by the CPU. */
export async function isSoftware(): Promise<boolean> {
  const { devices } = await webgpu().detect();
  return devices[0]?.software ?? false;
}
