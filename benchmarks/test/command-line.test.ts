import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { benchCommand, type Flags, parsePeers, parseShape, parseWhole } from "../src/options.js";
import { runProgram, specsOf } from "../src/program.js";
import { bench, expectReport, type Finished } from "./command-line.js";

const minutes = 60_000;

const small = ["--backend", "reference", "--threads", "1", "--runs", "1"];

describe("a tiny run", () => {
  it("prints the report as JSON, peers included", { timeout: 5 * minutes }, async () => {
    const { code, stdout, stderr } = await bench([
      "gemm-4bit",
      "int8",
      "optimizer",
      ...small,
      "--shape",
      "2x96x128",
      "--json",
    ]);
    expect(code, stderr).toBe(0);
    const { rows, machine } = expectReport(stdout);
    expect(new Set(rows.map(({ suite }) => suite))).toEqual(new Set(["gemm-4bit", "int8", "optimizer"]));
    expect(machine.floors === null).toBe(machine.floorsMissing !== null);
    for (const row of rows) {
      expect(row.backend).toBe("reference");
      expect(row.ratioToFloor === null).toBe(row.floor === null);
      for (const { ratio, medianNs } of row.peers) expect(ratio).toBeCloseTo(medianNs / row.medianNs, 9);
    }
    const product = rows.find(({ suite, dtype }) => suite === "gemm-4bit" && dtype === "float32")!;
    expect(product.relativeError).toBeLessThan(1e-6);
    const names = [...product.peers, ...product.notMeasured].map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["onnxruntime-node MatMulBnb4", "plain JavaScript loop"]));
  });

  it("writes JSON and a page, and prints tables", { timeout: 5 * minutes }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "halfbyte-bench-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [json, html] = [join(folder, "report.json"), join(folder, "report.html")];
    const args = [
      "quantize",
      ...small,
      "--shape",
      "1x256x256",
      "--format",
      "nf4",
      "--dtype",
      "float32",
      "--peers",
      "none",
    ];
    const { code, stdout, stderr } = await bench([...args, "--json", json, "--html", html]);
    expect(code, stderr).toBe(0);
    const { rows } = expectReport(readFileSync(json, "utf8"));
    expect(rows.map(({ temperature, memory }) => `${temperature} ${memory}`)).toEqual([
      "warm pool",
      "warm into",
      "cold pool",
      "cold into",
    ]);
    expect(stdout).toContain("quantize nf4");
    const page = readFileSync(html, "utf8");
    expect(page).toContain("vegaLite.compile");
    expect(page, "opens offline").not.toMatch(/<(script|link|img)[^>]*(src|href)=/);
  });

  it("names what could not be measured, and exits with 1", { timeout: minutes }, async () => {
    const { code, stdout } = await bench(["startup", "--backend", "neon", "--threads", "1", "--runs", "1", "--json"]);
    const { failures, rows } = expectReport(stdout);
    if (process.arch === "arm64") return expect(rows.length + failures.length).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(rows).toEqual([]);
    expect(failures[0]!.reason).toMatch(/cannot be measured|BACKEND_UNAVAILABLE/);
  });
});

/** Runs a command line here, where it must not get as far as measuring. */
async function refused(args: readonly string[]): Promise<Finished> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      texts[name] += String(text);
      return true;
    });
  const code = await runProgram(args).finally(() => vi.restoreAllMocks());
  return { code, ...texts };
}

describe("nonsense", () => {
  it.each([
    [[]],
    [["no-such-suite"]],
    [["gemm-4bit", "--shape", "4096"]],
    [["gemm-4bit", "--shape", "0x1x1"]],
    [["gemm-4bit", "--threads", "many"]],
    [["gemm-4bit", "--threads", "0"]],
    [["gemm-4bit", "--format", "nf5"]],
    [["gemm-4bit", "--peers", "everybody"]],
    [["gemm-4bit", "--accuracy", "perfect"]],
    [["gemm-4bit", "--backend", "abacus"]],
    [["decode", "--model", "GPT-9"]],
    [["checkpoint", "--size", "-1"]],
    [["gemm-4bit", "--record", "../elsewhere"]],
    [["dequantize", "--format", "int8-rowwise", "--dtype", "bfloat16"]],
    [["gemm-4bit", "--frobnicate"]],
  ])("%j exits with 2 and measures nothing", async (args) => {
    const { code, stdout, stderr } = await refused(args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/error: .{10}/);
  });

  it("help exits with 0", async () => {
    const { code, stdout } = await refused(["--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("pnpm bench targets");
  });
});

describe("options", () => {
  it("read shapes", () => {
    expect(parseShape("1x4096x14336")).toEqual({ m: 1, n: 4096, k: 14336 });
    for (const word of ["", "1x2", "1x2x3x4", "1.5x2x3", "-1x2x3", "1x2x99999999"])
      expect(() => parseShape(word)).toThrow();
  });

  it("read whole numbers", () => {
    expect(parseWhole("12", 1024)).toBe(12);
    for (const word of ["0", "1025", "1e2", " 1", "x"]) expect(() => parseWhole(word, 1024)).toThrow();
  });

  it("read peers", () => {
    expect(parsePeers("none")).toEqual([]);
    expect(parsePeers("tfjs, plain-js")).toEqual(["tfjs", "plain-js"]);
    expect(parsePeers("all").length).toBeGreaterThan(3);
  });

  it("may be repeated or listed", () => {
    const command = benchCommand().action(() => undefined);
    command.parse(["gemm-4bit", "--shape", "1x64x64,2x64x64", "--shape", "3x64x64", "--threads", "1,2"], {
      from: "user",
    });
    const flags = command.opts<Flags>();
    expect(flags.shape!.map(({ m }) => m)).toEqual([1, 2, 3]);
    expect(flags.threads).toEqual([1, 2]);
  });

  it("`targets` has the cases of all targets, once", () => {
    const flags = { backend: "cpu", threads: [1], peers: [], runs: 1, size: 1 };
    const specs = specsOf(["targets"], flags);
    expect(specs.length).toBeGreaterThan(20);
    expect(specsOf(["targets", "targets"], flags)).toEqual(specs);
    expect(specs.some(({ backend }) => backend === "webgpu")).toBe(false);
    const onGpu = specsOf(["targets"], { ...flags, backend: "webgpu" });
    expect(onGpu.map(({ backend, shape }) => [backend, shape.m])).toEqual([
      ["webgpu", 1],
      ["webgpu", 128],
    ]);
  });
});
