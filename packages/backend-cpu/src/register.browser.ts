/** Registers the CPU backend with the registry of the page or worker. */
import { registerBackend } from "@halfbyte/core";
import { cpu } from "./browser.js";

registerBackend(cpu());
