/** The backends of this page: what an application would get, and each by name. */
import { cpu } from "@halfbyte/backend-cpu";
import { webgpu } from "@halfbyte/backend-webgpu";
import { type Backend, type BackendProvider, openBackend, type Reason } from "@halfbyte/core";
import { reasonOf } from "../failure.js";
import type { OpenedBackend } from "./adapter-calls.js";

export type BackendName = "webgpu" | "cpu";

const providers: Readonly<Record<BackendName, () => BackendProvider>> = { webgpu: () => webgpu(), cpu: () => cpu() };

/** Opens it whatever it is, and closes it: what counts is the report. */
export async function openDefault(): Promise<OpenedBackend> {
  const backend = await openBackend([webgpu(), cpu()]);
  const opened = described(backend);
  await backend.dispose();
  return opened;
}

/** Exactly that one, software adapters included, or why not. */
export async function openNamed(name: BackendName): Promise<Backend | Reason> {
  const backend = await openBackend([providers[name]()], { order: [name] });
  if (backend.report.chosen === name) return backend;
  await backend.dispose();
  return reasonOf(backend.report.skipped.find(({ provider }) => provider === name)!);
}

export const isBackend = (opened: Backend | Reason): opened is Backend => "kernels" in opened;

export const described = ({ name, tier, report }: Backend): OpenedBackend => ({ name, tier, report });

/** Whether its device is played by the CPU. */
export async function isSoftware(name: BackendName): Promise<boolean> {
  const { devices } = await providers[name]().detect();
  return devices[0]?.software ?? false;
}
