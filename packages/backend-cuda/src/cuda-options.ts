/** What a user of the CUDA backend may choose. */
import { halfbyteError } from "@halfbyte/core";
import type { Preference } from "./selection.js";

export interface CudaOptions {
  /** host (default): the library nearest to the CUDA of the process's framework. driver: none newer than the driver, while there is a choice. */
  readonly prefer?: Preference;
  /** That library and no other, in digits: 124 for CUDA 12.4. HALFBYTE_CUDA_VERSION goes before it. */
  readonly version?: string;
  /** cuda:0 (default), cuda:1 … in the driver's order. */
  readonly device?: string;
  /** How long a library may take to show, in a process of its own, that it works; 20 seconds unless told otherwise. */
  readonly probeLimitMs?: number;
}

export type OpenOptions = CudaOptions & { readonly signal?: AbortSignal };

const preferences: readonly Preference[] = ["host", "driver"];

export function expectOptions({ prefer = "host", device, probeLimitMs = 1 }: CudaOptions): void {
  if (!preferences.includes(prefer))
    throw halfbyteError("INVALID_ARGUMENT", `prefer is ${String(prefer)}; allowed: ${preferences.join(", ")}.`);
  if (!Number.isFinite(probeLimitMs) || probeLimitMs <= 0)
    throw halfbyteError("INVALID_ARGUMENT", `probeLimitMs is ${String(probeLimitMs)}, expected a positive number.`);
  if (device !== undefined && deviceNumber(device) === undefined)
    throw halfbyteError("INVALID_ARGUMENT", `device is ${String(device)}, expected cuda:0, cuda:1 and so on.`);
}

/** 1 of "cuda:1"; undefined for what names no device. */
export function deviceNumber(device: string | undefined): number | undefined {
  const match = /^(?:cuda:)?(\d{1,3})$/.exec(device ?? "");
  return match ? Number(match[1]) : undefined;
}
