import { configDefaults, defineConfig } from "vitest/config";
import { fromSources, globalSetup, longTests } from "./vitest.config.js";

/** What takes too long for every run: soak, multi-gigabyte files, full fuzzing. `npm run test:long`. */
export default defineConfig({
  ...fromSources,
  test: {
    include: longTests,
    exclude: configDefaults.exclude,
    globalSetup,
    testTimeout: 30 * 60_000,
    maxWorkers: 2,
    passWithNoTests: true,
  },
});
