/** The specification of a backend, with nothing but what every WebGPU device has. */
import { describeBackend } from "@halfbyte/conformance";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu({ tier: "t0" }), { tier: "t0", unavailable: await adapterReason() });
