/** What holds of every selection, whatever libraries and machines there are. */
import { errorCatalogue } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import fc from "fast-check";
import { expect, it } from "vitest";
import { libraryId } from "../src/library-name.js";
import { acceptedCodes } from "../src/library-verdict.js";
import {
  type SelectableLibrary,
  type SelectionFacts,
  type SelectionOptions,
  selectLibrary,
} from "../src/select-library.js";
import { library, linux, nameOf } from "./libraries.js";

const versions = ["112", "118", "121", "124", "126", "128", "129", "130", "132", "140"];
const capability = fc.constantFrom(
  ...[
    [3, 5],
    [5, 0],
    [6, 1],
    [7, 0],
    [7, 5],
    [8, 0],
    [8, 6],
    [8, 9],
    [9, 0],
    [10, 0],
    [12, 0],
    [12, 1],
    [13, 0],
  ].map(([major, minor]) => ({ major: major!, minor: minor! })),
);
const codeOf = fc.uniqueArray(capability, { maxLength: 6, selector: ({ major, minor }) => `${major}.${minor}` });

const anyLibrary: fc.Arbitrary<SelectableLibrary> = fc
  .record({
    id: fc.constantFrom(...versions.map((digits) => `cuda${digits}`), "rocm60", "rocm72"),
    sass: codeOf,
    ptx: codeOf,
    linkage: fc.constantFrom("static" as const, "static" as const, "dynamic" as const),
    arch: fc.constantFrom("x64", "x64", "x64", "arm64"),
    glibc: fc.constantFrom("2.17", "2.34"),
    unmet: fc.constantFrom([], [], ["libcublasLt.so.12"]),
    isDamaged: fc.constantFrom(false, false, false, true),
  })
  .map(({ id, isDamaged, ...changes }) =>
    library(id, { ...changes, ...(isDamaged ? { refusal: reasonOf("LIBRARY_CHANGED", "changed") } : {}) }),
  );

/** One file of each version: of several equal ones the first place wins, which is an order of the input. */
const anyLibraries = fc
  .uniqueArray(anyLibrary, { maxLength: 8, selector: libraryId })
  .map((all) => all.map((one, i) => ({ ...one, path: `/${i}/${libraryId(one)}` })));

const minor = fc.integer({ min: 0, max: 12 });
const anyFacts: fc.Arbitrary<SelectionFacts> = fc.record(
  {
    system: fc.constantFrom(
      linux,
      { ...linux, libc: { kind: "glibc" as const, version: "2.31" } },
      {
        ...linux,
        libc: { kind: "musl" as const },
      },
    ),
    driver: fc.oneof(
      { weight: 9, arbitrary: fc.record({ major: fc.integer({ min: 10, max: 15 }), minor }) },
      { weight: 1, arbitrary: fc.constant(reasonOf("CUDA_NO_DRIVER", "none")) },
    ),
    host: fc.record(
      { framework: fc.constant("framework"), major: fc.integer({ min: 10, max: 14 }), minor },
      {
        requiredKeys: ["framework", "major"],
      },
    ),
    gpus: fc.array(capability, { maxLength: 3 }),
  },
  { requiredKeys: ["system", "driver"] },
);
const anyOptions: fc.Arbitrary<SelectionOptions> = fc.record({
  prefer: fc.constantFrom("host" as const, "driver" as const),
});

const always = (holds: (libraries: SelectableLibrary[], facts: SelectionFacts, options: SelectionOptions) => void) =>
  fc.assert(fc.property(anyLibraries, anyFacts, anyOptions, holds), { numRuns: 2000 });

it("nothing is tried whose major is above the driver's", () => {
  always((libraries, facts, options) => {
    const { usable } = selectLibrary(libraries, facts, options);
    for (const { version } of usable) {
      if ("code" in facts.driver) throw new Error("A library is tried without a driver.");
      expect(version.major).toBeLessThanOrEqual(facts.driver.major);
    }
  });
});

it("what is refused plays no part: without it the rest is told in the same way and order", () => {
  always((libraries, facts, options) => {
    const { candidates, usable } = selectLibrary(libraries, facts, options);
    const refused = new Set(candidates.filter(({ verdict }) => verdict === "refused").map(({ path }) => path));
    const rest = libraries.filter(({ path }) => !refused.has(path));
    const again = selectLibrary(rest, facts, options);
    expect(again.candidates).toEqual(candidates.slice(0, usable.length));
    expect(again.usable).toEqual(usable);
  });
});

it("removing one refused library removes its line and nothing else", () => {
  always((libraries, facts, options) => {
    const { candidates, usable } = selectLibrary(libraries, facts, options);
    const refused = candidates.find(({ verdict }) => verdict === "refused");
    const again = selectLibrary(
      libraries.filter(({ path }) => path !== refused?.path),
      facts,
      options,
    );
    expect(again.candidates).toEqual(candidates.filter((one) => one !== refused));
    expect(again.usable).toEqual(usable);
  });
});

it("the order of the input does not matter", () => {
  always((libraries, facts, options) => {
    const [forth, back] = [libraries, [...libraries].reverse()].map((all) => selectLibrary(all, facts, options));
    const withoutPaths = ({ candidates }: typeof forth & object) =>
      candidates.map(({ path: _, ...verdict }) => verdict);
    expect(withoutPaths(back!)).toEqual(withoutPaths(forth!));
  });
});

it("every library has one verdict, with a code that is documented", () => {
  const known = new Set<string>([...Object.keys(errorCatalogue), ...acceptedCodes]);
  always((libraries, facts, options) => {
    const { candidates, usable, problem } = selectLibrary(libraries, facts, options);
    expect(candidates.map(({ path }) => path).sort()).toEqual(libraries.map(({ path }) => path).sort());
    for (const { code, reason, verdict, remedy } of candidates) {
      expect(known).toContain(code);
      expect(reason).not.toBe("");
      expect(verdict === "refused").toBe(code in errorCatalogue);
      if (verdict === "refused") expect(remedy).not.toBe("");
    }
    expect(problem === undefined).toBe(usable.length > 0);
    if (problem) expect(Object.keys(errorCatalogue)).toContain(problem.code);
  });
});

it("an override is that library or none", () => {
  always((libraries, facts) => {
    for (const digits of versions) {
      const override = nameOf(`cuda${digits}`);
      const { usable, problem } = selectLibrary(libraries, facts, { override });
      expect(usable.length).toBeLessThanOrEqual(1);
      for (const one of usable) expect(libraryId(one)).toBe(libraryId(override));
      expect(problem === undefined).toBe(usable.length === 1);
    }
  });
});

it("machine code for every GPU goes before code that must be compiled", () => {
  always((libraries, facts, options) => {
    const { candidates } = selectLibrary(libraries, facts, options);
    const compiled = candidates.findIndex(({ code }) => code === "PTX_JIT");
    if (compiled < 0) return;
    const after = candidates.slice(compiled).filter(({ verdict }) => verdict !== "refused");
    expect(new Set(after.map(({ code }) => code))).toEqual(new Set(["PTX_JIT"]));
  });
});
