/** The matrix against the selection: both say the same, one by facts, the other at once. */
import { reasonOf } from "@halfbyte/native";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectionFacts } from "../src/choose.js";
import { fitMatrix } from "../src/fit-matrix.js";
import { verdictOf } from "../src/library-verdict.js";
import type { MachineFacts } from "../src/machine-facts.js";
import { capabilities, host, library, linux, versionOf } from "./libraries.js";

const ids = ["cuda111", "cuda118", "cuda121", "cuda124", "cuda128", "cuda130", "cuda132", "rocm72"];
const systems = [
  linux,
  { ...linux, arch: "arm64" },
  { ...linux, libc: { kind: "musl" } as const },
  { ...linux, libc: { kind: "glibc", version: "2.12" } as const },
];
const changes = [
  {},
  { linkage: "dynamic" },
  { unmet: ["libcublasLt.so.12"] },
  { refusal: reasonOf("LIBRARY_CHANGED", "It is.") },
  { sass: [] },
  { ptx: [] },
] as const;

const libraries = fc
  .tuple(fc.constantFrom(...ids), fc.constantFrom(...changes))
  .map(([id, change]) => library(id, change));
const driver = fc.option(fc.constantFrom("10.2", "11.0", "11.4", "12.0", "12.2", "12.8", "13.0", "14.0"), {
  nil: undefined,
});
const machines = fc.record({
  driver,
  gpus: fc.array(fc.constantFrom("3.5", "6.1", "7.0", "8.6", "9.0", "12.0"), { maxLength: 3 }),
  asks: fc.option(fc.constantFrom("11.2", "11.8", "12", "12.1", "12.4", "13.0"), { nil: undefined }),
  system: fc.constantFrom(...systems),
});

function factsOf({
  driver,
  gpus,
  asks,
  system,
}: typeof machines extends fc.Arbitrary<infer T> ? T : never): MachineFacts {
  const runs = capabilities(...gpus).map((capability, i) => ({ id: `${i}`, name: "GPU", capability }));
  return {
    system: { ...system, kind: "bare metal", node: "22.0.0" },
    driver: driver === undefined ? reasonOf("CUDA_NO_DRIVER", "There is none.") : versionOf(driver),
    gpus: runs,
    ...(asks !== undefined && { host: host(asks, "onnxruntime-node") }),
    frameworks: [{ name: "onnxruntime-node", version: "1", toldBy: "a file", loaded: false }],
    toolkits: [],
    runtimes: [],
  };
}

describe("the matrix", () => {
  it("refuses a library in some row exactly when the selection refuses it", () => {
    fc.assert(
      fc.property(libraries, machines, (one, machine) => {
        const facts = factsOf(machine);
        const { verdict } = verdictOf(one, selectionFacts(facts));
        const rows = fitMatrix([one], [verdict], facts).rows.slice(0, -1);
        const refusing = rows.filter(({ fits }) => fits[0] === "refused").map(({ what }) => what);
        expect(refusing.length > 0, `${refusing} against ${verdict}`).toBe(verdict === "refused");
      }),
      { numRuns: 2_000 },
    );
  });

  it("is degraded in some row exactly when the selection says so", () => {
    fc.assert(
      fc.property(libraries, machines, (one, machine) => {
        const facts = factsOf(machine);
        const { verdict } = verdictOf(one, selectionFacts(facts));
        fc.pre(verdict !== "refused");
        const rows = fitMatrix([one], [verdict], facts).rows.slice(0, -1);
        expect(rows.some(({ fits }) => fits[0] === "degraded")).toBe(verdict === "degraded");
      }),
      { numRuns: 500 },
    );
  });
});
