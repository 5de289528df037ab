import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/register.ts"],
  format: ["esm", "cjs"],
  // The types of WebGPU are in no version of TypeScript's own library that may be in use.
  dts: { banner: '/// <reference types="@webgpu/types" />' },
  silent: true,
  splitting: true,
  treeshake: true,
  target: "es2022",
  // Not wherever one builds: the same files run in browsers.
  platform: "neutral",
  loader: { ".wgsl": "text" },
});
