/** The specification of a backend, with every feature that the adapter of this machine has. */
import { describeBackend } from "@halfbyte/conformance";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu(), { unavailable: await adapterReason() });
