/** A backend for every variant of an operation's kernels that the device can run, on which that variant runs and no other. */
import { type Backend, createBackend, type Device, type OpName } from "@halfbyte/core";
import type { WebgpuDevice } from "../src/device.js";
import { operations } from "../src/operations/index.js";
import type { Kernel, Operation, Variant } from "../src/operations/operation.js";

export interface VariantBackend<K extends OpName> {
  readonly name: string;
  readonly kernel: Kernel<K>;
  readonly backend: Backend;
}

export function variantBackends<K extends OpName>(device: WebgpuDevice, op: K): VariantBackend<K>[] {
  const { kernels } = operations[op] as unknown as Operation<K>;
  const { needs } = device.traits;
  return kernels.flatMap((kernel) =>
    kernel.variants
      .filter((variant) => variant.needs.every((need) => needs.has(need)))
      .map((variant) => ({
        name: `${kernel.name} ${variant.name}`,
        kernel,
        backend: only(device, op, kernel, variant),
      })),
  );
}

function only<K extends OpName>(device: WebgpuDevice, op: K, kernel: Kernel<K>, variant: Variant<K>): Backend {
  const candidate = { op, kernel, variant, verdict: "passed" as const };
  const view: Device = {
    name: device.name,
    tier: device.tier,
    limits: device.limits,
    allocate: (byteLength, zeroed) => device.allocate(byteLength, zeroed),
    write: (target, offset, bytes, adopt) => device.write(target, offset, bytes, adopt),
    read: (source, offset, into, signal) => device.read(source, offset, into, signal),
    free: (target) => device.free(target),
    select: (asked, args) =>
      (asked as OpName) === op ? device.launchOf(candidate as never, args) : device.select(asked, args),
    drain: () => device.drain(),
    lost: device.lost,
    close: async () => undefined,
  };
  return createBackend(view, { chosen: device.name, skipped: [], selfTest: { cases: 0, ms: 0, cached: false } });
}
