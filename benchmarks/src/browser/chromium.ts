/** Headless Chromium with WebGPU. */
import { halfbyteError } from "@halfbyte/core";
import { type Browser, chromium } from "playwright-core";
import { chromiumAdvice, chromiumFlags, findChromium, webgpuFlags } from "../../../test/find-chromium.js";
import { tell } from "../failure.js";
import type { AdapterChoice } from "./options.js";

/** Developer features: timestamps in full, and the adapter's name. */
const always = ["--enable-unsafe-webgpu", "--enable-webgpu-developer-features"];

/** A GPU of the machine, through Vulkan where that is how Chromium reaches it. */
const realGpu = ["--ignore-gpu-blocklist", "--enable-features=Vulkan", "--use-angle=vulkan"];

const flagsOf: Readonly<Record<AdapterChoice, readonly string[]>> = {
  auto: [],
  software: webgpuFlags,
  gpu: process.platform === "linux" ? realGpu : ["--ignore-gpu-blocklist"],
};

export interface BrowserChoice {
  readonly adapter: AdapterChoice;
  readonly chromium?: string;
}

/** With a profile that has seen nothing. Throws NOT_AVAILABLE. */
export async function launch({ adapter, chromium: given }: BrowserChoice): Promise<Browser> {
  const executablePath = given ?? findChromium();
  if (!executablePath) throw halfbyteError("NOT_AVAILABLE", chromiumAdvice);
  return chromium.launch({ executablePath, headless: true, args: [...chromiumFlags, ...always, ...flagsOf[adapter]] });
}

/** What a page threw, without its stack. */
export const tellPage = (thrown: unknown): string =>
  tell(thrown)
    .split("\n")[0]!
    .replace(/^page\.\w+: /, "");
