/** Random programs over the C ABI (native/test/abi_fuzz.cpp): what is exact is the same on every instruction set. */
import { spawnSync } from "node:child_process";
import { expect } from "vitest";

const isas = ["scalar", "avx2", "avx512", "neon"];

export interface FuzzOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  /** Of each thread. */
  readonly operations: number;
}

/** An instruction set that the machine lacks gives way to the next lower one. */
export function expectSameDigests(program: string, options: FuzzOptions): void {
  const [first, ...others] = isas.map((isa) => digestsOf(program, isa, options));
  for (const other of others) expect(other).toEqual(first);
}

/** One line for each kind of operation. */
function digestsOf(program: string, isa: string, { firstSeed, seeds, operations }: FuzzOptions): string[] {
  const env = { ...process.env, HALFBYTE_CPU_ISA: isa };
  const args = [firstSeed, seeds, operations].map(String);
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
  expect({ isa, status, output: status === 0 ? "" : stdout + stderr }).toEqual({ isa, status: 0, output: "" });
  const lines = stdout.split("\n").filter((line) => line.startsWith("digest "));
  expect(lines.length).toBeGreaterThan(0);
  return lines;
}
