/** A backend for each variant of a kernel that the device can run, whichever it would choose. */
import { type Backend, createBackend, type Device, type OpName } from "@halfbyte/core";
import type { WebgpuDevice } from "../src/device.js";
import { operations } from "../src/operations/index.js";
import type { Operation } from "../src/operations/operation.js";

export async function eachVariant<K extends OpName>(
  device: WebgpuDevice,
  op: K,
  kernelName: string,
  use: (backend: Backend, variant: string) => Promise<void>,
): Promise<void> {
  const kernel = (operations[op] as Operation<K>).kernels.find(({ name }) => name === kernelName)!;
  for (const variant of kernel.variants) {
    if (variant.needs.some((need) => !device.traits.needs.has(need))) continue;
    const candidate = { op, kernel, variant, verdict: "passed" as const };
    await using backend = createBackend(
      viewOf(device, (name, args) =>
        (name as OpName) === op ? device.launchOf(candidate as never, args as never) : device.select(name, args),
      ),
      { chosen: device.name, skipped: [], selfTest: { cases: 0, ms: 0, cached: false } },
    );
    await use(backend, `${kernelName} ${variant.name}`);
  }
}

const viewOf = (device: WebgpuDevice, select: Device["select"]): Device => ({
  name: device.name,
  tier: device.tier,
  limits: device.limits,
  allocate: (byteLength, zeroed) => device.allocate(byteLength, zeroed),
  write: (target, offset, bytes, adopt) => device.write(target, offset, bytes, adopt),
  read: (source, offset, into, signal) => device.read(source, offset, into, signal),
  free: (target) => device.free(target),
  select,
  drain: () => device.drain(),
  lost: device.lost,
  close: async () => undefined,
});
