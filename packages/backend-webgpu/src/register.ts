/** Registers the WebGPU backend with the process-wide registry. */
import { registerBackend } from "@halfbyte/core";
import { webgpu } from "./provider.js";

registerBackend(webgpu());
