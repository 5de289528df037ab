/** The look at object code sees a kernel that spills, and only that. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { beyondBudget, spillBudgets } from "../scripts/spill-budgets.mjs";
import { plainName, stackTraffic } from "../scripts/stack-traffic.mjs";

const compilers = ["clang++-19", "g++"];
const isThere = (program: string) => spawnSync(program, ["--version"]).status === 0;

/** A loop with so many running sums that AVX2's sixteen registers do not hold them. */
const kernel = (count: number) => {
  const each = (statement: (s: number) => string) => Array.from({ length: count }, (_, s) => statement(s)).join("\n");
  return `
  #include <immintrin.h>
  void kernel(const float *x, const float *y, long n, float *out) {
    ${each((s) => `__m256 sum${s} = _mm256_setzero_ps();`)}
    for (long i = 0; i < n; i++, x += ${8 * count}) {
      const __m256 factor = _mm256_broadcast_ss(y + i);
      ${each((s) => `sum${s} = _mm256_fmadd_ps(_mm256_loadu_ps(x + ${8 * s}), factor, sum${s});`)}
    }
    ${each((s) => `_mm256_storeu_ps(out + ${8 * s}, sum${s});`)}
  }`;
};

function trafficOf(compiler: string, source: string, { skip }: TestContext): Map<string, number> {
  if (process.arch !== "x64" || process.platform !== "linux") skip("this is not Linux on x86-64");
  for (const program of [compiler, "objdump"]) if (!isThere(program)) skip(`no ${program} found`);
  const folder = mkdtempSync(join(tmpdir(), "halfbyte-spills-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [file, object] = [join(folder, "kernel.cpp"), join(folder, "kernel.o")];
  writeFileSync(file, source);
  const { status, stderr } = spawnSync(compiler, ["-O3", "-mavx2", "-mfma", "-c", file, "-o", object]);
  expect(status, String(stderr)).toBe(0);
  const objdump = spawnSync("objdump", ["-d", "--no-show-raw-insn", "-C", object], { encoding: "utf8" });
  return stackTraffic(objdump.stdout);
}

describe.each(compilers)("%s", (compiler) => {
  it("24 sums in 16 registers are found", (context) => {
    const traffic = trafficOf(compiler, kernel(24), context);
    expect(traffic.get("kernel")).toBeGreaterThanOrEqual(16);
    const kind = compiler === "g++" ? "gcc" : "clang";
    expect(beyondBudget(kind, "gemm.avx2", traffic)).toEqual([expect.stringContaining("a loop of kernel")]);
  });

  it("8 sums are not", (context) => {
    expect(trafficOf(compiler, kernel(8), context)).toEqual(new Map());
  });
});

describe("reading object code", () => {
  const code = (...lines: readonly string[]) =>
    ["0000000000000010 <f(int)>:", ...lines.map((line, i) => `      ${(16 + i).toString(16)}:\t${line}`)].join("\n");
  const spill = "vmovaps %ymm1,0x40(%rsp)";

  it.each([
    ["a loop", [spill, "jne    10 <f(int)>", "ret"], 1],
    ["no loop", [spill, "jne    12 <f(int)+0x2>", "ret"], 0],
    ["the outer of two loops", [spill, "nop", "jne    11 <f(int)+0x1>", "jne    10 <f(int)>", "ret"], 0],
    ["a block that only lies inside", ["jne    12 <f+2>", "jmp    14 <f+4>", spill, "ret", "jne    10 <f>", "ret"], 0],
    ["an array on the stack", ["vmovaps %ymm1,0x40(%rsp,%rax,8)", "jne    10 <f(int)>", "ret"], 0],
    ["a pointer in rbp", ["vmovaps 0x40(%rbp),%zmm1", "jne    10 <f(int)>", "ret"], 0],
    ["a frame pointer", ["mov    %rsp,%rbp", "vmovaps -0x40(%rbp),%zmm1", "jne    11 <f(int)>", "ret"], 1],
    ["a scalar", ["mov    %rax,0x40(%rsp)", "vmovss %xmm1,0x48(%rsp)", "jne    10 <f(int)>", "ret"], 0],
  ] as const)("%s", (_, lines, count) => {
    expect(stackTraffic(code(...lines)).get("f") ?? 0).toBe(count);
  });

  it.each([
    ["hb::avx2::gemm(float const*, hb::Floats)", "hb::avx2::gemm"],
    ["void hb::(anonymous namespace)::tile<3, true>(float const (&) [16]) const", "hb::tile"],
    ["hb::quantize(long) [clone .constprop.0]", "hb::quantize"],
  ])("%s", (symbol, name) => expect(plainName(symbol)).toBe(name));
});

it("every budget has its reason", () => {
  for (const [count, reason] of Object.values(spillBudgets).flatMap((files) => Object.values(files))) {
    expect(count).toBeGreaterThan(0);
    expect(reason.length).toBeGreaterThan(20);
  }
});
