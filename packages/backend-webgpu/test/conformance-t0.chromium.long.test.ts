/** The specification of a backend in Chromium, with nothing but what every WebGPU device has. */
import { describeBackend } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu({ tier: "t0" }), { tier: "t0", ...(await inChromium(adapterReason)) });
