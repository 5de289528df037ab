import { readFile } from "node:fs/promises";
import { defineConfig, type Options } from "tsup";

/** Shaders are text; pages load them without their comments and their indentation. */
const wgsl: NonNullable<Options["esbuildPlugins"]>[number] = {
  name: "wgsl",
  setup({ onLoad }) {
    onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replaceAll(/\/\/.*$/gm, "").replaceAll(/\s*\n\s*/g, "\n"),
      loader: "text",
    }));
  },
};

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
  esbuildPlugins: [wgsl],
});
