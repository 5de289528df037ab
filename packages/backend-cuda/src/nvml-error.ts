/** The numbers that NVML's functions return, as reasons. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";

export const nvmlStatus = {
  success: 0,
  notSupported: 3,
  noPermission: 4,
  notFound: 6,
  driverNotLoaded: 9,
  libraryNotFound: 12,
  functionNotFound: 13,
  gpuIsLost: 15,
  resetRequired: 16,
  versionMismatch: 18,
} as const;

/** They mean that this GPU or this driver does not tell the value. */
const silent: readonly number[] = [nvmlStatus.notSupported, nvmlStatus.noPermission, nvmlStatus.functionNotFound];

export const isSilent = (status: number): boolean => silent.includes(status);

/** Why `call` failed. */
export function nvmlReason(status: number, call: string): Reason {
  const said = `${call} answers ${status}`;
  if (status === nvmlStatus.driverNotLoaded)
    return reasonOf("CUDA_NO_DRIVER", `NVML finds no loaded kernel driver (${said}).`);
  if (status === nvmlStatus.versionMismatch)
    return reasonOf("CUDA_DRIVER_MISMATCH", `NVML and the kernel driver are of different versions (${said}).`);
  if (status === nvmlStatus.gpuIsLost || status === nvmlStatus.resetRequired)
    return reasonOf("GPU_LOST", `The driver has lost contact with a GPU (${said}).`);
  return reasonOf("NVML_FAILED", `NVML failed: ${said}.`);
}
