/** Registers the CPU backend with the process-wide registry. */
import { registerBackend } from "@halfbyte/core";
import { cpu } from "./provider.js";

registerBackend(cpu());
