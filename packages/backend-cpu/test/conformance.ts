/** The specification of a backend, run on the native library with one instruction set. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeBackend } from "@halfbyte/conformance";
import { openBackend } from "@halfbyte/core";
import { describe, expect, inject, it } from "vitest";
import { cpu } from "../src/index.js";
import { cpuLibraries } from "../src/library.js";

/** Why there is nothing to test, if so. One that is there and refused for another reason is a failure. */
export const notBuilt = cpuLibraries().every(({ refusal }) => refusal?.code === "LIBRARY_NOT_FOUND")
  ? "libhalfbyte_cpu is not built: run `pnpm build:native`"
  : undefined;

const needed = {
  avx512: ["avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512vbmi"],
  avx2: ["avx2", "fma", "f16c"],
} as const;

/** What was remembered is elsewhere, so that the self-test runs. */
export function forgetSelfTests(): void {
  process.env["XDG_CACHE_HOME"] = join(inject("sharedFolder"), `cache-${process.pid}`);
}

type Isa = keyof typeof needed | "neon" | "scalar";

/** What this machine has, by its own account, best first; undefined where /proc is not. */
function machineIsas(): Isa[] | undefined {
  if (process.arch === "arm64") return ["neon", "scalar"];
  try {
    const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(/\s+/));
    const names = Object.keys(needed) as (keyof typeof needed)[];
    return [...names.filter((isa) => needed[isa].every((flag) => flags.has(flag))), "scalar"];
  } catch {
    return undefined;
  }
}

export function reasonToSkip(isa: Isa | "best"): string | undefined {
  if (notBuilt || isa === "best" || isa === "scalar") return notBuilt;
  return machineIsas()?.includes(isa) ? undefined : `this machine has no ${isa}`;
}

/** Once per process: the library looks at HALFBYTE_CPU_ISA when it is loaded, and every test file has a process of its own. */
export function describeNative(isa: Isa | "best"): void {
  const reason = reasonToSkip(isa);
  if (reason) {
    describe(`native ${isa}`, () => it("conforms", ({ skip }) => skip(reason)));
    return;
  }
  forgetSelfTests();
  if (isa === "best") delete process.env["HALFBYTE_CPU_ISA"];
  else process.env["HALFBYTE_CPU_ISA"] = isa;
  const tier = isa === "best" ? machineIsas()?.[0] : isa;
  describeBackend(cpu({ tier: "native" }), tier ? { tier } : {});
  if (tier) it(`explain() names ${tier}`, () => expectVariant(tier));
}

/** Every table has these two. */
async function expectVariant(isa: Isa): Promise<void> {
  await using backend = await openBackend([cpu()], { order: ["cpu"] });
  const [x, weight] = [backend.zeros("float32", [2, 64]), backend.zeros("float32", [3, 64])];
  expect(backend.explain("gemm", { x, weight })).toMatchObject({ variant: isa });
  expect(backend.explain("quantize4bit", { x, format: "nf4", blockSize: 64 })).toMatchObject({ variant: isa });
}
