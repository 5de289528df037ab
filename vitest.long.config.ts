import { configDefaults, defineConfig, type ViteUserConfig } from "vitest/config";
import { webgpuFlags } from "./test/find-chromium.js";
import { fromSources, globalSetup, inChromium, longChromiumTests, longTests } from "./vitest.config.js";

const limitMs = 30 * 60_000;

const inNode: ViteUserConfig = {
  ...fromSources,
  test: {
    name: "node",
    include: longTests,
    exclude: [...configDefaults.exclude, ...longChromiumTests],
    globalSetup,
    testTimeout: limitMs,
    hookTimeout: limitMs,
    passWithNoTests: true,
  },
};

/** What takes too long for every run: soak, multi-gigabyte files, full fuzzing, pages on slow adapters. `npm run test:long`. */
export default defineConfig({
  test: { projects: [inNode, inChromium(longChromiumTests, webgpuFlags, limitMs)], maxWorkers: 2 },
});
