/** The commands as a user meets them: output, JSON, exit codes, interruption. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cuda } from "@halfbyte/backend-cuda";
import {
  memoryRepository,
  memorySink,
  quantizeCheckpoint,
  referenceBackend,
  registerFormat,
  tableFormat,
} from "@halfbyte/core";
import { beforeEach, describe, expect, it } from "vitest";
import { halfbyte, root, temporaryFolder, writeModel } from "./command-line.js";

interface Failure {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly details: object;
  };
}
const failureIn = (stdout: string): Failure["error"] => (JSON.parse(stdout) as Failure).error;

let folder: string;
let model: string;
beforeEach(() => {
  folder = temporaryFolder();
  model = join(folder, "model");
  mkdirSync(model);
  writeModel(model);
});

const at = (name: string): string => join(folder, name);

describe("quantize", () => {
  it("writes a checkpoint, a report and a table", async () => {
    writeFileSync(join(model, "tokenizer.json"), "{}");
    writeFileSync(join(model, "pytorch_model.bin"), "weights");
    const { code, stdout } = await halfbyte([
      "quantize",
      model,
      "-o",
      at("out"),
      "--format",
      "nf4",
      "--report",
      at("report.json"),
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/model\.layers\.0\.mlp\.up_proj\.weight +64×128 +4\.500/);
    expect(stdout).toContain("not copied, the same weights in another form: pytorch_model.bin");
    expect(readdirSync(at("out")).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    const report = JSON.parse(readFileSync(at("report.json"), "utf8"));
    expect(report.tensors[1].error).toMatchObject({
      maxAbs: expect.any(Number),
      rmse: expect.any(Number),
      sqnrDb: expect.any(Number),
      cosine: expect.any(Number),
    });
  });

  it("keeps config.json but for the quantization_config", async () => {
    await halfbyte(["quantize", model, "-o", at("out"), "--format", "fp4"]);
    const text = readFileSync(join(at("out"), "config.json"), "utf8");
    expect(text).toContain('"rope_theta": 10000.0');
    expect(JSON.parse(text).quantization_config.bnb_4bit_quant_type).toBe("fp4");
  });

  it("prints one JSON object with --json and nothing else", async () => {
    const options = ["--format", "int8", "--backend", "reference", "--json"];
    const { code, stdout, stderr } = await halfbyte(["quantize", model, "-o", at("out"), ...options]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      backend: "reference",
      format: "int8-rowwise",
      blockSize: 0,
      copiedFiles: [],
      skippedFiles: [],
    });
  });

  it("says what it would do with --dry-run and writes nothing", async () => {
    const { stdout } = await halfbyte([
      "quantize",
      model,
      "--format",
      "nf4",
      "--dry-run",
      "--skip",
      "model.layers.**",
      "--only",
      "**",
    ]).then(() => halfbyte(["quantize", model, "--format", "nf4", "--dry-run"]));
    expect(stdout).toMatch(/quantize +model\.layers\.0\.mlp\.up_proj\.weight +BF16 \[64, 128\] +linear weight/);
    expect(stdout).toMatch(/copy +model\.embed_tokens\.weight .* embedding/);
    expect(readdirSync(folder)).toEqual(["model"]);
  });

  it("refuses an existing output with 3 and replaces it with --force", async () => {
    mkdirSync(at("out"));
    writeFileSync(join(at("out"), "precious"), "1");
    const refused = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4", "--json"]);
    expect([refused.code, failureIn(refused.stdout).code]).toEqual([3, "OUTPUT_EXISTS"]);
    expect(readdirSync(at("out"))).toEqual(["precious"]);
    const forced = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4", "--force"]);
    expect(forced.code).toBe(0);
    expect(readdirSync(at("out")).sort()).toEqual(["config.json", "model.safetensors"]);
    expect(readdirSync(folder).sort()).toEqual(["model", "out"]);
  });

  it("ends with 130 on SIGINT and leaves nothing behind", async () => {
    writeModel(model, 512, 1024, 40);
    const before = readFileSync(join(model, "model.safetensors"));
    const { code, stderr } = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4"], {
      interrupt: "SIGINT",
    });
    expect(code).toBe(130);
    expect(stderr).toContain("nothing was written");
    expect(readdirSync(folder)).toEqual(["model"]);
    expect(readFileSync(join(model, "model.safetensors")).equals(before)).toBe(true);
  });

  it("leaves the destination absent when killed; the next run removes the leftovers", async () => {
    writeModel(model, 512, 1024, 40);
    const { code } = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4"], { interrupt: "SIGKILL" });
    expect(code).toBeNull();
    expect(existsSync(at("out"))).toBe(false);
    writeModel(model);
    const next = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4"]);
    expect(next.code).toBe(0);
    expect(next.stderr).toContain("left behind by an interrupted run");
    expect(readdirSync(folder).sort()).toEqual(["model", "out"]);
  });

  it("resolves relative paths where the user typed them", async () => {
    const { code } = await halfbyte(["quantize", "model", "-o", "out", "--format", "nf4"], {
      env: { INIT_CWD: folder },
    });
    expect(code).toBe(0);
    expect(existsSync(at("out"))).toBe(true);
  });
});

describe("the way back and the views", () => {
  it("dequantizes, inspects and compares", async () => {
    await halfbyte(["quantize", model, "-o", at("q"), "--format", "nf4", "--double-quant"]);
    const decoded = await halfbyte(["dequantize", at("q"), "-o", at("d")]);
    expect(decoded.stdout).toContain("1 weights decoded");
    expect(readFileSync(join(at("d"), "config.json"), "utf8")).toBe(readFileSync(join(model, "config.json"), "utf8"));
    const inspected = JSON.parse((await halfbyte(["inspect", at("q"), "--json"])).stdout);
    expect(inspected.tensors.find((tensor: { type: string }) => tensor.type === "nf4").quantization).toMatchObject({
      blockSize: 64,
      nested: true,
      dtype: "bfloat16",
      storage: "U8",
    });
    const same = JSON.parse((await halfbyte(["compare", at("q"), at("d"), "--json"])).stdout);
    expect(same.summary).toMatchObject({ identical: 1, close: 1, different: 0 });
    // Decoding rounds to bfloat16: a relative error of at most 2^-9 for each value.
    expect(same.tensors.find((row: { status: string }) => row.status === "close").error.sqnrDb).toBeGreaterThan(50);
  });

  it("inspects a format that only its stored table explains", async () => {
    const table = Float32Array.from({ length: 16 }, (_, i) => (i - 7.5) / 7.5);
    registerFormat(tableFormat("cli-test-uniform", table, "sixteen equal steps, for this test"));
    const sink = memorySink();
    const repository = memoryRepository({ "model.safetensors": readFileSync(join(model, "model.safetensors")) });
    await quantizeCheckpoint(repository, sink, { format: "cli-test-uniform", backend: referenceBackend() });
    writeFileSync(at("uniform.safetensors"), sink.files.get("model.safetensors")!);
    const inspected = JSON.parse((await halfbyte(["inspect", at("uniform.safetensors"), "--json"])).stdout);
    const weight = inspected.tensors.find((tensor: { type: string }) => tensor.type === "cli-test-uniform");
    expect(weight).toMatchObject({ shape: [64, 128], quantization: { blockSize: 64, bitsPerWeight: 4.5 } });
  });

  it("compare exits 1 when a tensor is missing", async () => {
    cpSync(model, at("other"), { recursive: true });
    writeModel(at("other"), 64, 128, 2);
    expect((await halfbyte(["compare", model, at("other")])).code).toBe(1);
  });
});

describe("selftest", () => {
  it("passes every golden case under both profiles", async () => {
    for (const profile of ["cpu", "reference"]) {
      const { code, stdout } = await halfbyte([
        "selftest",
        "--backend",
        "reference",
        "--vectors",
        join(root, "golden"),
        "--profile",
        profile,
        "--json",
      ]);
      expect(JSON.parse(stdout)).toMatchObject({
        cases: 442,
        passed: 442,
        failed: 0,
        skipped: 0,
        profile,
        checkpoints: { cases: 4, passed: 4 },
      });
      expect(code).toBe(0);
    }
  });

  it("finds ./golden above the current folder", async () => {
    const { stdout } = await halfbyte(["selftest"], { cwd: join(root, "packages/cli") });
    expect(stdout).toContain("442 passed, 0 failed, 0 skipped, plus 4 of 4 checkpoints");
  });
});

describe("an override of the CUDA library", () => {
  const quantize = (...more: string[]) => ["quantize", model, "-o", at("out"), "--format", "nf4", ...more];

  it.each([
    ["12.4", "OVERRIDE_INVALID"],
    ["", "OVERRIDE_INVALID"],
    ["999", "OVERRIDE_NOT_FOUND"],
  ])("of %j ends the command with 3 instead of running elsewhere", async (value, says) => {
    for (const options of [[], ["--backend", "cuda"]]) {
      const finished = await halfbyte(quantize(...options), { env: { HALFBYTE_CUDA_VERSION: value } });
      expect(finished.code).toBe(3);
      expect(finished.stderr).toContain(says);
      expect(existsSync(at("out"))).toBe(false);
    }
  });

  it("is none of the business of a command that names another backend", async () => {
    const options = { env: { HALFBYTE_CUDA_VERSION: "999" } };
    expect((await halfbyte(quantize("--backend", "reference"), options)).code).toBe(0);
  });
});

it("says nothing about CUDA where there is no NVIDIA hardware", async ({ skip }) => {
  const { reason, irrelevant } = await cuda().detect();
  if (!irrelevant) skip(`CUDA is there, or should be: ${reason?.code ?? "available"}`);
  const { stderr } = await halfbyte(["quantize", model, "-o", at("out"), "--format", "nf4"]);
  expect(stderr).not.toMatch(/cuda/i);
});

describe("nonsense", () => {
  it.each([
    [["frobnicate"], 2, "unknown command"],
    [["quantize"], 2, "required option"],
    [["quantize", "MODEL", "--format", "nf4"], 2, "--output"],
    [["quantize", "MODEL", "-o", "OUT"], 2, "--format"],
    [["quantize", "MODEL", "-o", "OUT", "--format", "nf3"], 2, 'no format "nf3"'],
    [["quantize", "MODEL", "-o", "OUT", "--format", "nf4", "--block-size", "48"], 2, "block size 48"],
    [["quantize", "MODEL", "-o", "OUT", "--format", "int8", "--double-quant"], 2, "do not apply"],
    [["quantize", "MODEL", "-o", "MODEL", "--format", "nf4"], 2, "same path"],
    [["quantize", "MODEL", "-o", "OUT", "--format", "nf4", "--backend", "abacus"], 2, "abacus"],
    [["quantize", "MODEL", "-o", "OUT", "--format", "nf4", "--backend", "webgpu"], 1, "PACKAGE_NOT_INSTALLED"],
    [["quantize", "MODEL", "-o", "OUT", "--format", "nf4", "--skip", "**"], 1, "NOTHING_TO_QUANTIZE"],
    [["quantize", "nowhere", "-o", "OUT", "--format", "nf4"], 1, "INPUT_NOT_FOUND"],
    [["quantize", "MODEL", "-o", "/proc/self/nothing/here", "--format", "nf4"], 1, "DESTINATION_NOT_WRITABLE"],
    [["dequantize", "MODEL", "-o", "OUT"], 1, "NOT_QUANTIZED"],
    [["inspect", "package.json"], 1, "INPUT_NOT_FOUND"],
    [["selftest", "--vectors", "packages/cli/src"], 1, "VECTORS_NOT_FOUND"],
  ])("%j exits with %i", async (args, code, says) => {
    const resolved = args.map((arg) => (arg === "MODEL" ? model : arg === "OUT" ? at("out") : arg));
    const finished = await halfbyte(resolved);
    expect(finished.stderr).toContain(says);
    expect(finished.stderr).not.toContain("    at ");
    expect(finished.code).toBe(code);
    expect(existsSync(at("out"))).toBe(false);
    expect(readdirSync(folder)).toEqual(["model"]);
  });
});
