import { configDefaults, defineConfig, type Plugin } from "vitest/config";

/** They run through vitest.long.config.ts alone. */
export const longTests = ["packages/*/{src,test}/**/*.long.test.ts", "{benchmarks/test,test}/**/*.long.test.ts"];

/** Shaders are text. */
const wgsl: Plugin = {
  name: "wgsl",
  transform: (text, id) => (id.endsWith(".wgsl") ? `export default ${JSON.stringify(text)};` : undefined),
};

/** Tests run from TypeScript sources through the `@halfbyte/source` export condition; only the pack tests need a build. */
export default defineConfig({
  plugins: [wgsl],
  resolve: { conditions: ["@halfbyte/source"] },
  ssr: { resolve: { conditions: ["@halfbyte/source"] } },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "benchmarks/test/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    exclude: [...configDefaults.exclude, ...longTests],
    globalSetup: ["test/global-setup.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
