/** What a device has that kernels may use. */
import { halfbyteError } from "@halfbyte/core";

/** Beyond what every device has. */
export type Need = "f16" | "subgroups" | "dp4a";

export interface Traits {
  readonly needs: ReadonlySet<Need>;
  /** Lanes of a subgroup, at least and at most; 1 and 1 without subgroups. */
  readonly subgroupSizes: readonly [least: number, most: number];
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** What a kernel can see of one tensor at once; larger ones are worked on in slices. */
  readonly pieceBytes: number;
}

/** `t0`: what every WebGPU device has. `full`: what this one has. */
export type FeatureTier = "t0" | "full";

export interface TraitOptions {
  readonly tier: FeatureTier;
  readonly languageFeatures: ReadonlySet<string>;
  readonly pieceBytes?: number;
}

export function traitsOf(gpu: GPUDevice, { tier, languageFeatures, pieceBytes }: TraitOptions): Traits {
  const { limits } = gpu;
  const needs = new Set<Need>();
  if (tier === "full") {
    if (gpu.features.has("shader-f16")) needs.add("f16");
    if (gpu.features.has("subgroups")) needs.add("subgroups");
    if (languageFeatures.has("packed_4x8_integer_dot_product")) needs.add("dp4a");
  }
  const { subgroupMinSize = 4, subgroupMaxSize = 128 } = gpu.adapterInfo ?? {};
  return {
    needs,
    subgroupSizes: needs.has("subgroups") ? [subgroupMinSize, subgroupMaxSize] : [1, 1],
    workgroupBytes: limits.maxComputeWorkgroupStorageSize,
    invocations: limits.maxComputeInvocationsPerWorkgroup,
    pieceBytes: pieceBytesOf(limits, pieceBytes),
  };
}

/** A power of two, so that the pieces of tensors with other dtypes end at the same elements. */
function pieceBytesOf({ maxBufferSize, maxStorageBufferBindingSize }: GPUSupportedLimits, wanted = 2 ** 31): number {
  if (!(wanted >= 256)) throw halfbyteError("INVALID_ARGUMENT", `pieceBytes is ${wanted}; it is at least 256.`);
  return 2 ** Math.floor(Math.log2(Math.min(maxBufferSize, maxStorageBufferBindingSize, wanted)));
}

/** t0, t0+f16+subgroups+dp4a: as a device's tier is told. */
export const tierName = ({ needs }: Traits): string => ["t0", ...needs].join("+");
