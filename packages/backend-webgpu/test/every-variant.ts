/** A backend for every variant of an operation's kernels that the device can run, on which that variant runs and no other. */
import type { Backend, OpName } from "@halfbyte/core";
import type { WebgpuDevice } from "../src/device.js";
import { operations } from "../src/operations/index.js";
import type { Kernel, Operation } from "../src/operations/operation.js";
import { variantBackend } from "../src/variant-backend.js";

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
        backend: variantBackend(device, { op, kernel, variant, verdict: "passed" }),
      })),
  );
}
