/** Options of describeBackend for a test file that runs in a page; where there is no Chromium, vitest runs it in Node, and every test is skipped. */
import type { DescribeOptions } from "@halfbyte/conformance";

/** `unavailable` finds out, in the page, why the backend cannot be opened there. */
export async function inChromium(
  unavailable: () => Promise<string | undefined> = async () => undefined,
): Promise<DescribeOptions> {
  if (!("document" in globalThis)) return { unavailable: (await import("./find-chromium.js")).chromiumAdvice };
  const { servedVectors } = await import("./served-vectors.js");
  return { vectors: servedVectors, unavailable: await unavailable() };
}
