/** A reading of a machine with two GPUs, one of which is lost. */
import { homedir } from "node:os";
import type { MonitorSample } from "@halfbyte/backend-cuda";

export const sample: MonitorSample = {
  time: "2026-01-02T03:04:05.678Z",
  ms: 12.345,
  compatibility: {
    driver: { major: 12, minor: 2 },
    kernelDriver: "535.54.03",
    gpus: [
      { id: "GPU-1", name: "NVIDIA A10" },
      { id: "GPU-2", name: "NVIDIA A10", lost: { code: "GPU_LOST", message: "It does not answer.", remedy: "" } },
    ],
    frameworks: [{ name: "onnxruntime-node", version: "1.20.0", cuda: { major: 12 } }],
    libraries: [{ library: "cuda124", path: `${homedir()}/app/libhalfbyte_cuda124.so`, sha256: "ab" }],
    replacedFiles: [],
    selection: {
      library: "cuda124",
      version: "12.4",
      path: `${homedir()}/app/libhalfbyte_cuda124.so`,
      verdict: "degraded",
      code: "DRIVER_OLDER",
      reason: "The driver has CUDA 12.2, older than the library.",
      degraded: true,
      overridden: false,
    },
  },
  telemetry: {
    source: "nvml",
    gpus: [
      {
        id: "GPU-1",
        index: 0,
        name: "NVIDIA A10",
        capability: { major: 8, minor: 6 },
        memory: { usedBytes: 6e9, totalBytes: 24e9 },
        utilization: 0.42,
        temperatureCelsius: 55,
        powerWatts: 123.5,
      },
      {
        id: "GPU-2",
        index: 1,
        name: "NVIDIA A10",
        lost: { code: "GPU_LOST", message: "It does not answer.", remedy: "" },
      },
    ],
  },
  process: { rssBytes: 85e6, cpu: 0.031 },
  backends: [],
  changes: [],
};

/** The same machine without driver and GPUs. */
export const bare: MonitorSample = {
  ...sample,
  compatibility: {
    driver: { code: "CUDA_NO_DRIVER", message: "There is no NVIDIA driver.", remedy: "Install it." },
    frameworks: [],
    libraries: [],
    replacedFiles: [],
    selection: { code: "CUDA_NO_DRIVER", message: "There is no NVIDIA driver.", remedy: "Install it." },
  },
  telemetry: {
    source: "none",
    reason: { code: "NVML_NOT_FOUND", message: "There is no libnvidia-ml.so.1.", remedy: "" },
  },
};
