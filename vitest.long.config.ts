import { configDefaults, defineConfig } from "vitest/config";
import config, { longTests } from "./vitest.config.js";

/** What takes too long for every run: soak, multi-gigabyte files, full fuzzing. `npm run test:long`. */
export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: longTests,
    exclude: configDefaults.exclude,
    testTimeout: 30 * 60_000,
    passWithNoTests: true,
  },
});
