/** What a device has that kernels may use. */
import { halfbyteError } from "@halfbyte/core";

/** Beyond what every device has. 16-bit floats are not among them: a weight rounded to them misses the bounds of accuracy `fast`. */
export type Need = "subgroups" | "dp4a";

export interface Traits {
  readonly needs: ReadonlySet<Need>;
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
  const needs = new Set<Need>();
  if (tier === "full") {
    if (gpu.features.has("subgroups")) needs.add("subgroups");
    if (languageFeatures.has("packed_4x8_integer_dot_product")) needs.add("dp4a");
  }
  return { needs, pieceBytes: pieceBytesOf(gpu.limits, pieceBytes) };
}

/** A power of two, so that the pieces of tensors with other dtypes end at the same elements. */
function pieceBytesOf({ maxBufferSize, maxStorageBufferBindingSize }: GPUSupportedLimits, wanted = 2 ** 31): number {
  if (!(wanted >= 256)) throw halfbyteError("INVALID_ARGUMENT", `pieceBytes is ${wanted}; it is at least 256.`);
  return 2 ** Math.floor(Math.log2(Math.min(maxBufferSize, maxStorageBufferBindingSize, wanted)));
}

/** t0, t0+subgroups+dp4a: as a device's tier is told. */
export const tierName = ({ needs }: Traits): string => ["t0", ...needs].join("+");
