/**
 * Every code block of the README is executed, in order, in one folder that has the published packages installed and a small
 * model in ./my-model. A block in a language or with a command that this file does not know fails.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "@halfbyte/core";
import { transform } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../scripts/run.mjs";
import { type InstalledPackages, installedPackages, installTimeout, node, npx } from "./installed-packages.js";
import { type CodeBlock, codeBlocks, expectedOutput, firstMissing, shellCommands } from "./readme-blocks.js";

const minutes = 60_000;
const blocks = codeBlocks(readFileSync(join(root, "README.md"), "utf8"));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

let installed: InstalledPackages;
let folder: string;
beforeAll(async () => {
  installed = await installedPackages();
  folder = join(installed.folder, "readme");
  await writeModel(join(folder, "my-model"));
}, installTimeout);

describe("README.md", () => {
  it("has code", () => {
    expect(blocks.length).toBeGreaterThan(0);
  });

  // `text` is output, not code.
  const code = blocks.filter(({ info }) => info[0] !== "text");
  it.each(code)("line $line: the $info.0 block does what it says", { timeout: 5 * minutes }, runBlock);
});

async function runBlock(block: CodeBlock): Promise<void> {
  const run = languages[block.info[0] ?? ""];
  if (!run) throw new Error(`The block of line ${block.line} is in "${block.info[0]}", which no test can execute.`);
  await run(block);
}

const languages: { readonly [language: string]: (block: CodeBlock) => Promise<void> } = {
  js: (block) => runScript(block, block.info.includes("cjs") ? "cjs" : "mjs", block.code),
  mjs: (block) => runScript(block, "mjs", block.code),
  cjs: (block) => runScript(block, "cjs", block.code),
  ts: async (block) => runScript(block, "mjs", (await transform(block.code, { loader: "ts", target: "es2022" })).code),
  sh: async ({ code }) => {
    for (const words of shellCommands(code)) await runCommand(words);
  },
};

async function runScript({ code, line }: CodeBlock, extension: string, text: string): Promise<void> {
  const file = `line-${line}.${extension}`;
  writeFileSync(join(folder, file), text);
  const { code: exitCode, stdout, stderr } = await node(folder, file);
  expect(exitCode, stdout + stderr).toBe(0);
  expect(firstMissing(expectedOutput(code), stdout), `expected output that is missing in:\n${stdout}`).toBeUndefined();
}

/** What a README line may start with, and what holds when it is right. */
const commands: { readonly [start: string]: (rest: string[]) => void | Promise<void> } = {
  "npm install": (names) => {
    const ours = installed.packed.map(({ name }) => name);
    for (const name of names.filter((word) => !word.startsWith("-")))
      expect(ours, "packed and installed here").toContain(name);
  },
  "npx halfbyte": async (args) => {
    const { code, stdout, stderr } = await npx(folder, "halfbyte", ...args);
    expect(code, stdout + stderr).toBe(0);
  },
  // `.ci/run` is what executes this one, and demo.test.ts the demo.
  "npm test": () => expect(manifest.scripts).toHaveProperty("test"),
  "npm run": ([name]) => expect(Object.keys(manifest.scripts)).toContain(name),
  "git clone": ([url, ...rest]) =>
    expect([url, ...rest], "a URL and at most a folder").toHaveLength(rest.length > 0 ? 2 : 1),
};

async function runCommand([program = "", ...args]: string[]): Promise<void> {
  if (program === "cd") return; // into the clone; everything else runs in one folder
  const start = `${program} ${args[0] ?? ""}`;
  const command = commands[start];
  if (!command) throw new Error(`"${[program, ...args].join(" ")}" is not a command that this test can execute.`);
  await command(args.slice(1));
}

/** A model of two layers, small but with every kind of tensor: linear weights, a norm, an embedding. */
async function writeModel(target: string): Promise<void> {
  mkdirSync(target, { recursive: true });
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 64,
    num_hidden_layers: 2,
    tie_word_embeddings: true,
  };
  writeFileSync(join(target, "config.json"), JSON.stringify(config, null, 2));
  const shapes: Record<string, number[]> = { "model.embed_tokens.weight": [32, 64], "model.norm.weight": [64] };
  for (const layer of [0, 1]) {
    shapes[`model.layers.${layer}.self_attn.q_proj.weight`] = [64, 64];
    shapes[`model.layers.${layer}.mlp.up_proj.weight`] = [128, 64];
  }
  const tensors = Object.entries(shapes).map(([name, shape]) => ({
    name,
    dtype: "F32" as const,
    shape,
    bytes: values(shape),
  }));
  writeFileSync(join(target, "model.safetensors"), writeSafetensors(tensors));
}

function values(shape: number[]): Uint8Array {
  const size = shape.reduce((product, n) => product * n, 1);
  return new Uint8Array(Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.7) / 8).buffer);
}
