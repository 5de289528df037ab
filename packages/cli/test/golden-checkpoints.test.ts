/** Acceptance: what Python wrote, the command line writes, header included. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { halfbyte, root, temporaryFolder, writeOriginal } from "./command-line.js";

const golden = join(root, "golden/checkpoints");
const names = readdirSync(golden)
  .filter((file) => file.endsWith(".config.json"))
  .map((file) => file.replace(".config.json", ""));

interface Config {
  readonly load_in_8bit: boolean;
  readonly llm_int8_threshold: number;
  readonly bnb_4bit_quant_type: string;
  readonly bnb_4bit_use_double_quant: boolean;
  readonly bnb_4bit_compute_dtype: string;
  readonly bnb_4bit_quant_storage: string;
}

const flagsOf = (config: Config): string[] =>
  config.load_in_8bit
    ? ["--format", "int8", "--threshold", String(config.llm_int8_threshold)]
    : [
        ...["--format", config.bnb_4bit_quant_type, "--compute-dtype", config.bnb_4bit_compute_dtype],
        ...["--quant-storage", config.bnb_4bit_quant_storage],
        ...(config.bnb_4bit_use_double_quant ? ["--double-quant"] : []),
      ];

describe.each(names)("%s", (name) => {
  const config = JSON.parse(readFileSync(join(golden, `${name}.config.json`), "utf8")) as {
    quantization_config: Config;
  };
  const expected = readFileSync(join(golden, `${name}.safetensors`));
  const io = readFileSync(join(golden, `${name}_io.safetensors`));

  it("a single file becomes the file Python wrote", async () => {
    const folder = temporaryFolder();
    await writeOriginal(io, join(folder, "in.safetensors"));
    const flags = [...flagsOf(config.quantization_config), "--profile", "cpu"];
    const { code, stderr } = await halfbyte([
      "quantize",
      join(folder, "in.safetensors"),
      "-o",
      join(folder, "out.safetensors"),
      ...flags,
    ]);
    expect(stderr).not.toContain("error");
    expect(code).toBe(0);
    expect(readFileSync(join(folder, "out.safetensors")).equals(expected)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["in.safetensors", "out.safetensors"]);
  });

  it("a folder gets the quantization_config Python states", async () => {
    const folder = temporaryFolder();
    const model = join(folder, "model");
    mkdirSync(model);
    await writeOriginal(io, join(model, "model.safetensors"));
    const { quantization_config: quantization, ...rest } = config;
    writeFileSync(join(model, "config.json"), JSON.stringify(rest, null, 2));
    const { code } = await halfbyte([
      "quantize",
      model,
      "-o",
      join(folder, "out"),
      ...flagsOf(quantization),
      "--profile",
      "cpu",
    ]);
    expect(code).toBe(0);
    expect(readFileSync(join(folder, "out/model.safetensors")).equals(expected)).toBe(true);
    expect(JSON.parse(readFileSync(join(folder, "out/config.json"), "utf8"))).toEqual(config);
  });
});
