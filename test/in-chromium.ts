/** Options of describeBackend for a test file that runs in Chromium; where there is no Chromium, vitest runs it in Node, and every test is skipped. */
import type { DescribeOptions } from "@halfbyte/conformance";

export async function inChromium(): Promise<DescribeOptions> {
  if ("document" in globalThis) return { vectors: (await import("./served-vectors.js")).servedVectors };
  const { chromiumAdvice } = await import("./find-chromium.js");
  return { unavailable: chromiumAdvice };
}
