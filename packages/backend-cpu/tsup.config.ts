import { copyFile } from "node:fs/promises";
import { defineConfig, type Options } from "tsup";

const common: Options = {
  dts: true,
  silent: true,
  splitting: true,
  treeshake: true,
  noExternal: [/^@halfbyte\/native/],
  target: "es2022",
};

export default defineConfig([
  {
    ...common,
    entry: ["src/index.ts", "src/register.ts"],
    format: ["esm", "cjs"],
    // import.meta.url in the CommonJS build: libraries are looked for beside the package.
    shims: true,
    // A script of its own, which no build may change: the loader starts it by its path.
    onSuccess: () => copyFile("../native/src/probe-child.cjs", "dist/probe-child.cjs"),
  },
  {
    ...common,
    entry: ["src/browser.ts", "src/register.browser.ts"],
    format: ["esm"],
    platform: "browser",
  },
]);
