import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/register.ts"],
  format: ["esm", "cjs"],
  dts: true,
  clean: true,
  silent: true,
  splitting: true,
  treeshake: true,
  // import.meta.url in the CommonJS build: the library is looked for beside the package.
  shims: true,
  noExternal: ["@halfbyte/native"],
  target: "es2022",
});
