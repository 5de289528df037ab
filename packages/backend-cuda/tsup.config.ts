import { copyFile } from "node:fs/promises";
import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/register.ts"],
  format: ["esm", "cjs"],
  dts: true,
  silent: true,
  splitting: true,
  treeshake: true,
  noExternal: [/^@halfbyte\/native/],
  target: "es2022",
  // import.meta.url in the CommonJS build: libraries are looked for beside the package.
  shims: true,
  // A script of its own, which no build may change: the loader starts it by its path.
  onSuccess: () => copyFile("../native/src/probe-child.cjs", "dist/probe-child.cjs"),
});
