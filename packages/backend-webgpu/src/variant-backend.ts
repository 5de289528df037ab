/** A backend on which one operation is done by one variant, whatever was found out about it; the others as the device chooses. */
import { type Backend, createBackend, type Device, type OpName } from "@halfbyte/core";
import type { WebgpuDevice } from "./device.js";
import type { Candidate } from "./variants.js";

/** Disposing it leaves the device as it is. */
export function variantBackend<K extends OpName>(device: WebgpuDevice, candidate: Candidate<K>): Backend {
  const view: Device = {
    name: device.name,
    tier: device.tier,
    limits: device.limits,
    allocate: (byteLength, zeroed) => device.allocate(byteLength, zeroed),
    write: (target, offset, bytes, adopt) => device.write(target, offset, bytes, adopt),
    read: (source, offset, into, signal) => device.read(source, offset, into, signal),
    free: (target) => device.free(target),
    select: (op, args) =>
      (op as OpName) === candidate.op ? device.launchOf(candidate as never, args) : device.select(op, args),
    drain: () => device.drain(),
    lost: device.lost,
    close: async () => undefined,
  };
  return createBackend(view, { chosen: device.name, skipped: [], selfTest: { cases: 0, ms: 0, cached: false } });
}
