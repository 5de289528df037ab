import { defineConfig } from "vitest/config";

/** Tests run from TypeScript sources through the `@halfbyte/source` export condition; only the pack tests need a build. */
export default defineConfig({
  resolve: { conditions: ["@halfbyte/source"] },
  ssr: { resolve: { conditions: ["@halfbyte/source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
