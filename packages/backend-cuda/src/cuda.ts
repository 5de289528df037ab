/** The CUDA backend on this machine. */
import type { BackendProvider } from "@halfbyte/core";
import type { CudaOptions } from "./cuda-options.js";
import { examine } from "./examine.js";
import { findLibraries } from "./find-libraries.js";
import { nodeWorld } from "./node-world.js";
import { cudaProvider } from "./provider.js";

/** Kernels on NVIDIA GPUs, in the native library that fits the driver, the GPUs and the process's framework. */
export const cuda = (given: CudaOptions = {}): BackendProvider<CudaOptions> =>
  cudaProvider(given, () => ({ world: nodeWorld(), examine, findLibraries }));
