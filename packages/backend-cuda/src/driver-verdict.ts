/** The CUDA version of the driver, or why CUDA cannot be used: libcuda's word first, then what it did when it was started. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { cudaReason, cudaStatus } from "./cuda-error.js";
import type { Found, Troubles } from "./detector.js";
import { type Circumstances, noDriverReason } from "./no-driver.js";
import { oneLine } from "./plain-text.js";
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";
import type { DeviceListFinding } from "./sources/device-list.js";
import type { LibcudaFinding } from "./sources/libcuda.js";

export function driverVerdict(world: Circumstances, found: Found, troubles: Troubles): RuntimeVersion | Reason {
  const { libcuda } = found;
  if (!libcuda) return noDriverReason(world, found, troubles);
  const verdict = ofLibcuda(world, found, libcuda);
  return "code" in verdict && libcuda.shadowsWsl ? blamedOnShadow(verdict, libcuda) : verdict;
}

function ofLibcuda(world: Circumstances, found: Found, libcuda: LibcudaFinding): RuntimeVersion | Reason {
  const version = versionOf(libcuda);
  if ("code" in version || !found.devices) return version;
  return startingFailed(world, found, found.devices, version) ?? version;
}

const blamedOnShadow = (reason: Reason, { path }: LibcudaFinding): Reason => ({
  ...reason,
  message: `${reason.message} ${path} is of a driver for Linux, which cannot work in WSL2 and hides the one that does.`,
  remedy:
    "Remove the NVIDIA driver inside WSL (`sudo apt-get purge 'nvidia-driver-*' 'libnvidia-compute-*'`), then run `wsl --shutdown`.",
});

function versionOf({ status, version, number, path }: LibcudaFinding): RuntimeVersion | Reason {
  if (status !== cudaStatus.success) return withPath(cudaReason({ status, call: "cuDriverGetVersion" }), path);
  if (version === "none") return reasonOf("CUDA_NO_DRIVER", `${path} finds no driver: it says version 0.`);
  return version ?? reasonOf("CUDA_FAILED", `${path} gives ${number} as its version, which is none.`);
}

const withPath = (reason: Reason, path: string): Reason => ({ ...reason, message: `${path}: ${reason.message}` });

/** That it takes long is no failure: a machine with many GPUs may need more than our patience. */
function startingFailed(
  { env }: Circumstances,
  found: Found,
  { failed, crashed, step, count, devices }: DeviceListFinding,
  driver: RuntimeVersion,
): Reason | undefined {
  if (failed) return withDetails(cudaReason({ ...failed, driver }), failed.status, env, found);
  if (crashed) return reasonOf("CUDA_FAILED", `The driver (CUDA ${formatVersion(driver)}) crashed in ${step}.`);
  if (count !== 0 || devices.length > 0) return undefined;
  return withDetails(
    reasonOf("CUDA_NO_DEVICE", `The driver (CUDA ${formatVersion(driver)}) lists no GPU.`),
    cudaStatus.noDevice,
    env,
    found,
  );
}

/** The two versions, or the variable, that explain it. */
function withDetails(reason: Reason, status: number, env: Circumstances["env"], found: Found): Reason {
  const detail = detailOf(status, env, found);
  return detail === undefined ? reason : { ...reason, message: `${reason.message} ${detail}` };
}

function detailOf(status: number, env: Circumstances["env"], { libcuda, kernelDriver }: Found): string | undefined {
  if (status === cudaStatus.driverMismatch || status === cudaStatus.forwardCompat)
    return `libcuda is ${libcuda?.path}, the kernel driver ${kernelDriver?.version ?? "unknown"}.`;
  if (status !== cudaStatus.noDevice) return undefined;
  const set = ["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"].filter((name) => env[name] !== undefined);
  return set.length === 0
    ? undefined
    : `${set.map((name) => `${name}="${oneLine(env[name]!, 120)}"`).join(" and ")} is set.`;
}
