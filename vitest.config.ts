import { readdirSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { configDefaults, defineConfig, type Plugin, type ViteUserConfig } from "vitest/config";
import { chromiumFlags, findChromium, quickWebgpuFlags } from "./test/find-chromium.js";

/** They run through vitest.long.config.ts alone. */
export const longTests = [
  "packages/*/{src,test}/**/*.long.test.ts",
  "{benchmarks/test,examples/*/test,test}/**/*.long.test.ts",
];

const chromiumTests = ["packages/*/test/**/*.chromium.test.ts"];
export const longChromiumTests = ["packages/*/test/**/*.chromium.long.test.ts"];

/** Shaders are text. */
const wgsl: Plugin = {
  name: "wgsl",
  transform: (text, id) => (id.endsWith(".wgsl") ? `export default ${JSON.stringify(text)};` : undefined),
};

/** Tests run from TypeScript sources through the `@halfbyte/source` export condition; only the pack tests need a build. */
export const fromSources: ViteUserConfig = {
  plugins: [wgsl],
  resolve: { conditions: ["@halfbyte/source"] },
  ssr: { resolve: { conditions: ["@halfbyte/source"] } },
};

export const globalSetup = ["test/global-setup.ts"];

/** Against what never ends. Drivers that render on the CPU compile kernels for minutes when they see them for the first time. */
const limitMs = 5 * 60_000;

const inNode: ViteUserConfig = {
  ...fromSources,
  test: {
    name: "node",
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "benchmarks/test/**/*.test.ts",
      "examples/*/test/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    exclude: [...configDefaults.exclude, ...longTests, ...chromiumTests],
    globalSetup,
    testTimeout: limitMs,
    hookTimeout: limitMs,
  },
};

const executablePath = findChromium();

const goldenPaths = readdirSync(new URL("golden", import.meta.url), { recursive: true, encoding: "utf8" }).map((path) =>
  path.replaceAll("\\", "/"),
);

/** One page after the other, when Node's tests are done. Where there is no Chromium they run in Node, which skips them by name: test/in-chromium.ts. */
export const inChromium = (include: string[], webgpuFlags: string[], timeoutMs = limitMs): ViteUserConfig => ({
  ...fromSources,
  // Found before the tests, or the server would load the page again in their midst.
  optimizeDeps: { include: ["fast-check"] },
  test: {
    name: "browser",
    include,
    sequence: { groupOrder: 1 },
    provide: { goldenPaths },
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    browser: {
      enabled: executablePath !== undefined,
      headless: true,
      screenshotFailures: false,
      fileParallelism: false,
      provider: playwright({
        launchOptions: { args: [...chromiumFlags, ...webgpuFlags], ...(executablePath && { executablePath }) },
      }),
      instances: [{ browser: "chromium" }],
    },
  },
});

export default defineConfig({
  test: { projects: [inNode, inChromium(chromiumTests, quickWebgpuFlags)], maxWorkers: 2 },
});
