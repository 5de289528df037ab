/** Registers the CUDA backend with the process-wide registry. */
import { registerBackend } from "@halfbyte/core";
import { cuda } from "./cuda.js";

registerBackend(cuda());
