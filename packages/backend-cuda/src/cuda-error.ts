/**
 * The numbers that CUDA's functions return, driver and runtime alike, as reasons. The one place where a number gets its code; the
 * message names what was called, so that a report can be traced to it.
 */
import type { ErrorCode, Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";

export const cudaStatus = {
  success: 0,
  stubLibrary: 34,
  insufficientDriver: 35,
  callNeedsNewerDriver: 36,
  devicesUnavailable: 46,
  outOfMemory: 2,
  noDevice: 100,
  invalidDevice: 101,
  invalidImage: 200,
  noKernelImage: 209,
  eccUncorrectable: 214,
  invalidPtx: 218,
  jitCompilerNotFound: 221,
  unsupportedPtx: 222,
  operatingSystem: 304,
  illegalAddress: 700,
  launchTimeout: 702,
  misalignedAddress: 716,
  launchFailure: 719,
  systemNotReady: 802,
  driverMismatch: 803,
  forwardCompat: 804,
  mpsConnection: 805,
  unknown: 999,
} as const;

interface Meaning {
  readonly code: ErrorCode;
  readonly means: string;
  /** Where the code's own remedy is not the best. */
  readonly remedy?: string;
}

/** After these CUDA gives the process no device any more. */
const restart = "Start the process again: CUDA refuses this one everything from now on. If it comes back, report it.";
const lost = (means: string, remedy = restart): Meaning => ({ code: "DEVICE_LOST", means, remedy });

const meanings: Readonly<Record<number, Meaning>> = {
  [cudaStatus.outOfMemory]: { code: "OUT_OF_MEMORY", means: "the GPU has no memory left" },
  [cudaStatus.eccUncorrectable]: lost(
    "the GPU's memory holds an error that it cannot correct",
    "Start the process again, and look at `nvidia-smi -q -d ECC`: memory that fails again and again is broken.",
  ),
  [cudaStatus.illegalAddress]: lost("a kernel read or wrote where it has no memory"),
  [cudaStatus.launchTimeout]: lost(
    "a kernel ran longer than the system allows",
    "Start the process again, and use a GPU without a display, or smaller tensors.",
  ),
  [cudaStatus.misalignedAddress]: lost("a kernel used a misaligned address"),
  [cudaStatus.launchFailure]: lost("a kernel failed"),
  [cudaStatus.stubLibrary]: { code: "CUDA_STUB_DRIVER", means: "libcuda is the toolkit's stub, not a driver" },
  [cudaStatus.insufficientDriver]: { code: "CUDA_DRIVER_TOO_OLD", means: "the driver is older than the CUDA runtime" },
  [cudaStatus.callNeedsNewerDriver]: { code: "CUDA_DRIVER_TOO_OLD", means: "the call needs a newer driver" },
  [cudaStatus.devicesUnavailable]: { code: "CUDA_DEVICE_BUSY", means: "every GPU is busy or held exclusively" },
  [cudaStatus.noDevice]: { code: "CUDA_NO_DEVICE", means: "the driver sees no GPU" },
  [cudaStatus.invalidDevice]: {
    code: "INVALID_ARGUMENT",
    means: "there is no device of this number",
    remedy: "Devices are numbered from 0 as this process sees them: CUDA_VISIBLE_DEVICES hides and reorders them.",
  },
  [cudaStatus.invalidImage]: { code: "CUDA_KERNEL_IMAGE_INVALID", means: "the driver cannot read the kernel image" },
  [cudaStatus.noKernelImage]: { code: "CUDA_NO_CODE_FOR_GPU", means: "there is no kernel image for the GPU" },
  [cudaStatus.invalidPtx]: { code: "CUDA_JIT_UNAVAILABLE", means: "the PTX is invalid" },
  [cudaStatus.jitCompilerNotFound]: { code: "CUDA_JIT_UNAVAILABLE", means: "the driver's PTX compiler was not found" },
  [cudaStatus.unsupportedPtx]: { code: "CUDA_PTX_TOO_NEW", means: "the PTX is newer than the driver" },
  [cudaStatus.operatingSystem]: {
    code: "CUDA_FAILED",
    means: "a call of the operating system failed",
    remedy:
      "Check that this process may open /dev/nvidia* (sandboxes and containers hide them), and that nvidia-uvm is loaded.",
  },
  [cudaStatus.systemNotReady]: { code: "CUDA_NOT_READY", means: "the system is not ready" },
  [cudaStatus.driverMismatch]: {
    code: "CUDA_DRIVER_MISMATCH",
    means: "libcuda and the kernel driver are of different versions",
  },
  [cudaStatus.forwardCompat]: {
    code: "CUDA_FORWARD_COMPAT",
    means: "a cuda-compat libcuda runs on a GPU that does not support it",
  },
  [cudaStatus.mpsConnection]: {
    code: "CUDA_FAILED",
    means: "the MPS server cannot be reached",
    remedy: "Start nvidia-cuda-mps-control again, or unset CUDA_MPS_PIPE_DIRECTORY.",
  },
  [cudaStatus.unknown]: { code: "CUDA_FAILED", means: "an unknown error" },
};

export interface CudaFailure {
  readonly status: number;
  /** The function that returned it, or what was being done. */
  readonly call: string;
  /** What libcuda says of itself; "none": there is no libcuda. Tells the two meanings of 35 apart. */
  readonly driver?: RuntimeVersion | "none";
}

export function cudaReason({ status, call, driver }: CudaFailure): Reason {
  const { code, means, remedy } = meaningOf(status, driver);
  const has = driver === undefined || driver === "none" ? "" : ` The driver has CUDA ${formatVersion(driver)}.`;
  return reasonOf(code, `${call} failed with CUDA error ${status}: ${means}.${has}`, remedy);
}

/** 35 is also what the runtime answers where there is no driver at all. */
function meaningOf(status: number, driver: CudaFailure["driver"]): Meaning {
  if (status === cudaStatus.insufficientDriver && driver === "none")
    return { code: "CUDA_NO_DRIVER", means: "there is no driver" };
  return meanings[status] ?? { code: "CUDA_FAILED", means: "an error that has no code of its own here" };
}

/** What cuDriverGetVersion or cudaDriverGetVersion gave: 0 means that there is no driver. Undefined when it is no version. */
export function driverOfNumber(number: number): RuntimeVersion | "none" | undefined {
  if (number === 0) return "none";
  if (!Number.isInteger(number) || number < 1000 || number >= 100_000) return undefined;
  return { major: Math.floor(number / 1000), minor: Math.floor((number % 1000) / 10) };
}
