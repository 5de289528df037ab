/**
 * Which code a GPU can run. Machine code (SASS) for sm_XY runs where the major is X and the minor at least Y; PTX for compute_XY is
 * compiled by the driver for any GPU from X.Y on, when the driver is not older than the toolkit that made it.
 */
import { compareVersions, type RuntimeVersion } from "./runtime-version.js";

/** Compute capability: 8.6 is { major: 8, minor: 6 }. */
export type Capability = RuntimeVersion;

/** "8.6", or 86 and "86" as compilers write it: the last digit is the minor. */
export function parseCapability(text: string): Capability | undefined {
  const dotted = /^(\d{1,2})\.(\d)$/.exec(text);
  if (dotted) return { major: Number(dotted[1]), minor: Number(dotted[2]) };
  const plain = /^(?:sm_|compute_)?(\d{1,2})(\d)$/.exec(text);
  return plain ? { major: Number(plain[1]), minor: Number(plain[2]) } : undefined;
}

export const runsNatively = (sass: readonly Capability[], gpu: Capability): boolean =>
  sass.some(({ major, minor }) => major === gpu.major && minor <= gpu.minor);

/** Whether the driver could compile the library's PTX for this GPU. */
export const runsByJit = (
  ptx: readonly Capability[],
  gpu: Capability,
  driver: RuntimeVersion,
  toolkit: RuntimeVersion,
): boolean => compareVersions(driver, toolkit) >= 0 && ptx.some((code) => compareVersions(code, gpu) <= 0);
