import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/register.ts"],
  format: ["esm", "cjs"],
  dts: true,
  silent: true,
  splitting: true,
  treeshake: true,
  target: "es2022",
  // Not wherever one builds: the same files run in browsers.
  platform: "neutral",
  loader: { ".wgsl": "text" },
});
