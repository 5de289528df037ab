/** The specification of a backend, on the WebAssembly build, in Chromium. */
import { describeBackend } from "@halfbyte/conformance";
import { inChromium } from "../../../test/in-chromium.js";
import { cpu } from "../src/browser.js";

describeBackend(cpu(), await inChromium());
