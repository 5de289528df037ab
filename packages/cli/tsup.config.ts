import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/main.ts"],
  format: ["esm"],
  clean: true,
  silent: true,
  treeshake: true,
  target: "es2022",
});
