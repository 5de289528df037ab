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
  // Scripts of their own, which no build may change: they are started by their paths.
  onSuccess: async () => {
    await copyFile("../native/src/probe-child.cjs", "dist/probe-child.cjs");
    await copyFile("src/device-list-child.cjs", "dist/device-list-child.cjs");
    await copyFile("src/library-child.cjs", "dist/library-child.cjs");
  },
});
