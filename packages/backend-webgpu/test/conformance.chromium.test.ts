/** The specification of a backend, with every feature that Chromium's software adapter has. */
import { describeBackend } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu(), await inChromium(adapterReason));
