/** Every source, in order of trust. */
import type { Detector, Findings, SourceKey } from "./detector.js";
import { container } from "./sources/container.js";
import { deviceList } from "./sources/device-list.js";
import { kernelDriver } from "./sources/kernel-driver.js";
import { libcuda } from "./sources/libcuda.js";
import { linkerCache } from "./sources/linker-cache.js";
import { loadedLibraries } from "./sources/loaded-libraries.js";
import { nvidiaSmi } from "./sources/nvidia-smi.js";
import { nvml } from "./sources/nvml.js";
import { onnxruntime } from "./sources/onnxruntime.js";
import { pci } from "./sources/pci.js";
import { searchPath } from "./sources/search-path.js";
import { system } from "./sources/system.js";
import { tensorflow } from "./sources/tensorflow.js";
import { toolkit } from "./sources/toolkit.js";

export const detectors: { readonly [K in SourceKey]: Detector<Findings[K]> } = {
  system,
  libcuda,
  devices: deviceList,
  loaded: loadedLibraries,
  onnxruntime,
  tensorflow,
  nvml,
  kernelDriver,
  pci,
  nvidiaSmi,
  container,
  toolkit,
  linkerCache,
  searchPath,
};

export const sourceKeys = Object.keys(detectors) as SourceKey[];
