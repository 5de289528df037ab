import { describe, expect, it, type TestContext } from "vitest";
import { openFloor } from "../src/floors/floor.js";
import type { FloorKind } from "../src/floors/kinds.js";
import { type FloorLibrary, floorLibrary, variants } from "../src/floors/library.js";

/** Of the words that native/floors.cpp fills memory with. */
const oddConstant = 0x9e3779b97f4a7c15n;
/** native/loops.h, kWord. */
const written = 0x0102030405060708n;

const sizes = [512, 1024, 4608, 1_000_448];
const threadCounts = [1, 2, 3];

function libraryOr(ctx: TestContext): FloorLibrary {
  const library = floorLibrary();
  return typeof library === "string" ? ctx.skip(library) : library;
}

/** Of each variant; `work` is in bytes or multiply-adds. */
function checksums(library: FloorLibrary, kind: FloorKind, work: number, threads: number): bigint[] {
  const memory = library.allocate(2 * 1_000_448);
  const job = { kind, threads, memory, work, windows: 1, first: 0 };
  try {
    return Array.from({ length: variants }, (_, variant) => library.run({ ...job, variant }, new Float64Array(2)));
  } finally {
    library.free(memory);
  }
}

const sumOfWords = (bytes: number): bigint => {
  const count = BigInt(bytes / 8);
  return BigInt.asUintN(64, ((count * (count - 1n)) / 2n) * oddConstant);
};
const each = (sum: bigint) => Array(variants).fill(sum);

describe("floor loops", () => {
  it("read every byte once, whatever the number of threads", (ctx) => {
    const library = libraryOr(ctx);
    for (const bytes of sizes)
      for (const threads of threadCounts)
        expect(checksums(library, "read", bytes, threads)).toEqual(each(sumOfWords(bytes)));
  });

  it("write every byte", (ctx) => {
    const library = libraryOr(ctx);
    for (const bytes of sizes)
      for (const threads of threadCounts) {
        const expected = BigInt.asUintN(64, written * BigInt(bytes / 8));
        expect(checksums(library, "write", bytes, threads)).toEqual(each(expected));
      }
  });

  it("copy every byte to the second half of the window", (ctx) => {
    const library = libraryOr(ctx);
    for (const bytes of sizes)
      for (const threads of threadCounts)
        expect(checksums(library, "copy", bytes, threads)).toEqual(each(sumOfWords(bytes)));
  });

  it.for(["fma-f32", "dot-int16", "dot-int8"] as const)("%s counts its own multiply-adds", (kind, ctx) => {
    const library = libraryOr(ctx);
    const wanted = 2 ** 20;
    for (const threads of threadCounts)
      for (const done of checksums(library, kind, wanted, threads)) {
        expect(Number(done)).toBeGreaterThanOrEqual(wanted);
        // The last step of each thread may do more than was left: 16 chains of 64.
        expect(Number(done)).toBeLessThan(wanted + threads * 16 * 64);
      }
  });

  it("rotate over windows when cold", async (ctx) => {
    const floor = openFloor(libraryOr(ctx), { kind: "read", work: 100_000_000, temperature: "cold" }, 1);
    try {
      const times = await floor.subjects[0]!.sample(5, true);
      expect(times).toHaveLength(5);
      expect(Math.min(...times)).toBeGreaterThan(0);
    } finally {
      floor.dispose();
    }
  });
});
