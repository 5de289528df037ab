/** The specification of a backend, with every feature that Chromium's software adapter has; vitest.config.ts leaves its clearing of workgroup memory out. */
import { describeBackend } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu(), await inChromium(adapterReason));
