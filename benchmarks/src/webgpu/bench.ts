/** What cases on WebGPU share: one device for ours, the floors and the peers, and clocks that see all of them. */
import { webgpu } from "@halfbyte/backend-webgpu";
import { halfbyteError, openBackend } from "@halfbyte/core";
import type { Bench, Settings } from "../case.js";
import { floorRequests, type MachineFloor, measureMachineFloors } from "../floors/machine-floors.js";
import { wallClock } from "../measure/clock.js";
import { type PeerModules, webgpuPeers } from "../peers/webgpu-peers.js";
import type { Adapter } from "../report/row.js";
import type { OpenedAdapter } from "./adapter.js";
import { gpuClock } from "./clocks.js";
import { gpuFloors } from "./floors.js";

export interface WebgpuBench {
  readonly bench: Bench;
  readonly adapter: Adapter;
  readonly machineFloors: readonly MachineFloor[];
}

/** Throws BACKEND_UNAVAILABLE where the backend does not open on this device. */
export async function openWebgpuBench(
  { device, adapter }: OpenedAdapter,
  settings: Settings,
  modules: PeerModules,
): Promise<WebgpuBench> {
  const backend = await openBackend([webgpu({ gpuDevice: device })], { order: ["webgpu"] });
  if (backend.report.chosen !== "webgpu") throw notChosen(backend.report.skipped);
  const clock = gpuClock(device);
  const floors = gpuFloors(device, adapter);
  const bench: Bench = {
    ...settings,
    backend,
    threads: 1,
    floors,
    clocks: [wallClock, clock],
    peerSet: webgpuPeers(device, modules),
  };
  const requests = floorRequests.filter(({ kind }) => kind !== "dot-int16");
  return { bench, adapter, machineFloors: await measureMachineFloors(floors, 1, settings.rounds, { requests, clock }) };
}

const notChosen = (skipped: readonly { readonly message: string }[]) =>
  halfbyteError(
    "BACKEND_UNAVAILABLE",
    `Backend "webgpu" cannot be measured: ${skipped.map(({ message }) => message).join(" ")}`,
  );
