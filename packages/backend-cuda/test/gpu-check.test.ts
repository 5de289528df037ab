/** `pnpm gpu:check` where there is no GPU: the harness on the emulated device, what it must not overlook, and the dry run of every stage. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { buildEmulated, emulationFlags } from "../scripts/build-emulated.mjs";
import { carry } from "../scripts/carry.mjs";
import { noEmulation } from "./emulated.js";

const folder = resolve(import.meta.dirname, "..");
const check = join(folder, "gpu-check");
const results = resolve(folder, "../../benchmarks/results");
const own = mkdtempSync(join(tmpdir(), "halfbyte-gpu-check-"));
afterAll(() => rmSync(own, { recursive: true, force: true }));

function run(program: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 << 20 });
  return { status, said: `${stdout}${stderr}`, stdout };
}

const python = (...args: string[]) => run("python3", args);

function missing(): string | undefined {
  if (noEmulation) return noEmulation;
  return python("-c", "import numpy").status === 0 ? undefined : "python3 with numpy is not installed";
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly failures: readonly unknown[];
}

/** For compilers and a suite on a busy machine. */
const patience = 300_000;

const json = <T>(path: string): T => JSON.parse(readFileSync(path, "utf8")) as T;
const obstacle = missing();

if (obstacle) describe("gpu:check", () => it("works without a GPU", ({ skip }) => skip(obstacle)));
else {
  describe("the harness", () => {
    it(
      "finds nothing wrong with the emulated library",
      () => {
        const report = join(own, "report.json");
        const { status, said } = python(join(check, "conformance.py"), "--library", buildEmulated(), "--json", report);
        expect(said).toContain("passed");
        const { failures, passed } = json<Counts>(report);
        expect({ status, failures }).toEqual({ status: 0, failures: [] });
        expect(passed).toBeGreaterThan(300);
      },
      patience,
    );

    it(
      "sees a wrong bit in every result that is judged",
      () => {
        const { stdout } = python(join(folder, "test", "gpu-check", "flipped_bits.py"), buildEmulated());
        const { results, unseen } = JSON.parse(stdout) as { results: number; unseen: Record<string, number[]> };
        expect(results).toBeGreaterThan(1000);
        // Undefined upstream; and what a layer quantizes on the way to a sum that is judged within a bound.
        const judgedLess = /^quirks|Linear8bitLt.forward$|int8_mixed_scaled_mm$/;
        expect(Object.keys(unseen).filter((name) => !judgedLess.test(name))).toEqual([]);
      },
      patience,
    );

    it.each(["lose", "hang"])(
      "goes on after a kernel that makes it %s",
      (how) => {
        const { stdout } = python(join(folder, "test", "gpu-check", "broken_kernels.py"), buildEmulated(), own, how);
        const { codes, next, both } = JSON.parse(stdout) as { codes: number[]; next: number; both: Counts };
        expect({ codes, next }).toEqual({ codes: [3, 0], next: 6 });
        expect(both).toMatchObject({ outcome: "failed", failed: 1, lost: 1 });
        expect(both.passed).toBeGreaterThan(50);
      },
      patience,
    );

    it("fails a library that does not open", () => {
      const { status, said } = python(join(check, "conformance.py"), "--library", join(own, "nothing.so"));
      expect(status).toBe(2);
      expect(said).toContain("does not open");
    });
  });

  describe("the dry run", () => {
    const dryRun = () =>
      python(join(check, "gpu_check.py"), "--dry-run", "--work", join(own, "work"), "--copy", join(own, "copy"));
    const stage = (name: string) =>
      json<{ parts: Record<string, { outcome: string } & Partial<Counts>> }>(
        join(own, "work", "results", `${name}.json`),
      ).parts;

    it(
      "goes through every stage, and a second time does nothing again",
      () => {
        const before = readdirSync(results);
        const first = dryRun();
        expect(first.status, first.said).toBe(0);
        expect(stage("build")).toMatchObject({ library: { outcome: "passed" } });
        expect(stage("conformance")).toMatchObject({
          libhalfbyte_cuda_emulated: { outcome: "passed", failed: 0 },
        });
        expect(stage("sanitizer")).toMatchObject({ memcheck: { outcome: "passed" }, racecheck: { outcome: "passed" } });
        expect(stage("benchmark")["library"]).toMatchObject({ outcome: "passed" });
        const again = dryRun();
        expect(again.said.match(/unchanged/g)?.length).toBeGreaterThanOrEqual(5);
        expect(readdirSync(results)).toEqual(before);
        const files = ["benchmark.json", "build.json", "conformance.json", "emulated.json", "sanitizer.json"];
        expect(readdirSync(join(own, "copy")).sort()).toEqual(files);
      },
      patience,
    );

    it("marks its figures and judges none", () => {
      const result = json<{ emulated: boolean; gpu: unknown; targets: unknown[]; rows: { op: string }[] }>(
        join(own, "work", "results", "emulated.json"),
      );
      expect(result).toMatchObject({ emulated: true, gpu: null, targets: [] });
      const measured = new Set(result.rows.map(({ op }) => op));
      for (const op of ["floor", "gemm_4bit", "quantize_4bit", "int8_linear_matmul", "optimizer_update_8bit_blockwise"])
        expect(measured).toContain(op);
    });

    it("without --dry-run and without a GPU says so", ({ skip }) => {
      if (run("nvidia-smi", []).status === 0) skip("there is a GPU here");
      const { status, said } = python(join(check, "gpu_check.py"), "--work", join(own, "none"), "result");
      expect(status).toBe(2);
      expect(said).toContain("No NVIDIA GPU");
      expect(existsSync(join(own, "none"))).toBe(false);
    });
  });

  describe("the targets", () => {
    const judge = (rows: object[], peers: object[]) => {
      const script =
        "import json, sys; from check import targets; print(json.dumps(targets.judged(*json.load(sys.stdin))))";
      const { stdout } = spawnSync("python3", ["-c", script], {
        cwd: check,
        encoding: "utf8",
        input: JSON.stringify([rows, peers]),
      });
      return JSON.parse(stdout) as { what: string; figure: number | null; met: boolean | null; reason?: string }[];
    };
    const row = (op: string, name: string, dtype: string, seconds: number, bytes = 0) => ({
      ...{ op, name, dtype, shape: [1], seconds, bytes, operations: 0, relative_error: 0, dense_error: 0 },
    });
    const product = (m: number, seconds: number) =>
      row("gemm_4bit", `nf4 M=${m} 8192x28672`, "bfloat16", seconds, 4_000_000_000);

    it("are ratios of one run: met, missed, or not measured, with the reason", () => {
      const rows = [
        row("floor", "read", "bytes", 1, 5_000_000_000),
        ...[1, 2, 3, 4, 8, 16].map((m) => product(m, m === 16 ? 1.4 : 1)),
      ];
      const dense = [1, 2, 4, 8].map((m) => row("torch.matmul", `M=${m} 8192x28672`, "bfloat16", 3));
      const found = judge(rows, dense);
      const about = (text: string) => found.find(({ what }) => what.startsWith(text));
      expect(about("gemm_4bit M=1 8192x28672")).toMatchObject({ figure: 0.8, met: true });
      expect(about("gemm_4bit M=2…16 8192x28672")).toMatchObject({ figure: 1.4, met: false });
      expect(about("gemm_4bit M=1…8 8192x28672")).toMatchObject({ figure: 3, met: true });
      expect(about("int8 matmul")).toMatchObject({ met: null });
      expect(about("int8 matmul")?.reason).toContain("not measured");
    });
  });

  describe("with Node and nothing installed", () => {
    it(
      "the conformance suite runs from one folder",
      async () => {
        // Beside golden/, as .carry/ lies.
        const output = join(resolve(folder, "../.."), ".carry", `test-${process.pid}`);
        try {
          await carry({ output });
          const report = join(own, "node.json");
          const program = [join(output, "conformance.mjs"), "--library", buildEmulated(), "--json", report];
          const { status, said } = run(process.execPath, program);
          expect(status, said).toBe(0);
          expect(json<Counts>(report)).toMatchObject({ failed: 0 });
          expect(json<Counts>(report).passed).toBeGreaterThan(30);
        } finally {
          rmSync(output, { recursive: true, force: true });
        }
      },
      patience,
    );
  });

  describe("its compilers", () => {
    it("use the flags of the build scripts", () => {
      const script =
        "import json; from check import compilers; print(json.dumps([compilers.NVCC_FLAGS, compilers.EMULATED_FLAGS]))";
      const { stdout } = spawnSync("python3", ["-c", script], { cwd: check, encoding: "utf8" });
      const [nvcc, emulated] = JSON.parse(stdout) as [string[], string[]];
      const shipped = readFileSync(join(folder, "scripts", "build-cuda.mjs"), "utf8");
      for (const flag of nvcc) expect(shipped).toContain(`"${flag}"`);
      // Optimized less, because it is compiled again and again; strictness is the other build's business.
      const strict = ["-O1", "-O2", "-Wall", "-Wextra", "-Werror"];
      expect(emulated.filter((flag) => !strict.includes(flag)).sort()).toEqual(
        emulationFlags.filter((flag) => !strict.includes(flag)).sort(),
      );
    });
  });
}
