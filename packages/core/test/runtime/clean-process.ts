/** What openBackend() leaves behind in a process, put back between tests: the registry, what was said, the environment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, type MockInstance, vi } from "vitest";

type Globals = { [key: symbol]: { clear(): void } | undefined };

export function cleanProcess(): { warnings: () => string[]; cache: () => string } {
  let cache = "";
  let warn: MockInstance<typeof console.warn>;
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "halfbyte-cache-"));
    for (const name of ["HALFBYTE_BACKEND", "HALFBYTE_LOG_LEVEL", "BNB_LOG_LEVEL"]) vi.stubEnv(name, undefined);
    vi.stubEnv("XDG_CACHE_HOME", cache);
    warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    for (const name of ["halfbyte.registry", "halfbyte.said"]) (globalThis as Globals)[Symbol.for(name)]?.clear();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(cache, { recursive: true, force: true });
  });
  return { warnings: () => warn.mock.calls.map(([message]) => String(message)), cache: () => cache };
}
