/** The specification of a backend in Chromium as users have it: every feature, and workgroup memory cleared before each kernel, which takes the adapter minutes. */
import { describeBackend } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { webgpu } from "../src/index.js";
import { adapterReason } from "./adapter-reason.js";

describeBackend(webgpu(), await inChromium(adapterReason));
