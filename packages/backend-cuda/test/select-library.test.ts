/** What decides beside versions: the system, the state of files, overrides; and how the answer is told. */
import { reasonOf } from "@halfbyte/native";
import { describe, expect, it } from "vitest";
import { type SelectableLibrary, type Selection, selectLibrary } from "../src/select-library.js";
import type { SystemFacts } from "../src/system-fit.js";
import { capabilities, library, linux, machine, nameOf, shipped } from "./libraries.js";

const told = ({ candidates }: Selection) => candidates.map(({ library, code }) => `${library} ${code}`);
const usable = (selection: Selection) => selection.usable.map(({ path }) => path);
const ampere = machine({ driver: "12.4", gpus: ["8.6"], host: "12.4" });
const on = (system: Partial<SystemFacts>) => ({ ...ampere, system: { ...linux, ...system } });

describe("the system", () => {
  const only = [library("cuda124")];

  it.each([
    ["glibc 2.16", on({ libc: { kind: "glibc", version: "2.16" } }), "GLIBC_TOO_OLD"],
    ["glibc 2.9, which is older than 2.17", on({ libc: { kind: "glibc", version: "2.9" } }), "GLIBC_TOO_OLD"],
    ["glibc 2.17", on({ libc: { kind: "glibc", version: "2.17" } }), "EXACT"],
    ["an unknown glibc", on({ libc: { kind: "glibc" } }), "EXACT"],
    ["musl", on({ libc: { kind: "musl", version: "1.2.5" } }), "LIBC_MUSL"],
    ["another processor", on({ arch: "arm64" }), "LIBRARY_WRONG_ARCHITECTURE"],
    ["Windows", on({ platform: "win32", libc: { kind: "none" } }), "LIBRARY_WRONG_ARCHITECTURE"],
    ["macOS", on({ platform: "darwin", libc: { kind: "none" } }), "LIBRARY_WRONG_ARCHITECTURE"],
  ])("%s → %s", (_, facts, code) => {
    const { candidates, problem } = selectLibrary(only, facts);
    expect(candidates[0]!.code).toBe(code);
    if (code !== "EXACT") expect(problem!.code).toBe(code);
  });

  it("a library without a glibc floor runs on musl", () => {
    const { glibc: _, ...own } = library("cuda124");
    expect(told(selectLibrary([own], on({ libc: { kind: "musl" } })))).toEqual(["cuda124 EXACT"]);
  });

  it("names Windows drivers on Windows", () => {
    const windows = [library("cuda130", { platform: "win32" })];
    const { problem } = selectLibrary(windows, on({ platform: "win32", libc: { kind: "none" } }));
    expect(problem).toMatchObject({ code: "CUDA_DRIVER_TOO_OLD", message: expect.stringContaining("R580 or newer") });
  });
});

describe("files", () => {
  const changed = reasonOf("LIBRARY_CHANGED", "It was changed.");

  it("whose bytes or manifest speak against them are refused with that reason, and the next is taken", () => {
    const selection = selectLibrary([library("cuda124", { refusal: changed }), library("cuda118")], ampere);
    expect(told(selection)).toEqual(["cuda118 OTHER_MAJOR", "cuda124 LIBRARY_CHANGED"]);
  });

  it("of one version in several places: the first place goes first", () => {
    const places = ["/a", "/b", "/c"].map((folder) => library("cuda124", { path: folder }));
    expect(usable(selectLibrary(places, ampere))).toEqual(["/a", "/b", "/c"]);
    expect(usable(selectLibrary([...places].reverse(), ampere))).toEqual(["/c", "/b", "/a"]);
    const broken = [library("cuda124", { path: "/0", refusal: changed }), ...places];
    expect(usable(selectLibrary(broken, ampere))).toEqual(["/a", "/b", "/c"]);
  });

  it("that lack a shared library name it", () => {
    const unmet = library("cuda124", { linkage: "dynamic", unmet: ["libcublasLt.so.12"] });
    expect(selectLibrary([unmet], ampere).problem).toMatchObject({
      code: "LIBRARY_DEPENDENCY_MISSING",
      message: expect.stringContaining("libcublasLt.so.12"),
    });
  });

  it("with machine code of one GPU and no PTX run there and on higher minors alone", () => {
    const narrow = [library("cuda124", { sass: capabilities("8.6"), ptx: [] })];
    const codes = ["8.0", "8.6", "8.9", "9.0"].map(
      (gpu) => selectLibrary(narrow, machine({ driver: "12.4", gpus: [gpu] })).candidates[0]!.code,
    );
    expect(codes).toEqual(["CUDA_NO_CODE_FOR_GPU", "NO_HOST", "NO_HOST", "CUDA_NO_CODE_FOR_GPU"]);
  });

  it("with PTX of the GPU's own capability run by it", () => {
    const ptxOnly = [library("cuda124", { sass: [], ptx: capabilities("8.6") })];
    expect(told(selectLibrary(ptxOnly, ampere))).toEqual(["cuda124 PTX_JIT"]);
  });
});

describe("nothing fits", () => {
  it("because there is no library: the package that would bring one is named", () => {
    expect(selectLibrary([], ampere).problem).toMatchObject({
      code: "LIBRARY_NOT_FOUND",
      message: expect.stringContaining("@halfbyte/backend-cuda-linux-x64 is missing"),
      remedy: "npm install @halfbyte/backend-cuda-linux-x64",
    });
  });

  it("because nobody publishes one for the platform", () => {
    const { problem } = selectLibrary([], on({ arch: "arm64" }));
    expect(problem!.message).toContain("@halfbyte/backend-cuda-linux-arm64 does not exist yet");
    expect(problem!.remedy).toContain("halfbyte libs build");
  });

  it("because there is no driver, whatever libraries there are", () => {
    const driver = reasonOf("CUDA_NO_DRIVER", "libcuda was not found.");
    for (const libraries of [[], shipped]) {
      const selection = selectLibrary(libraries, machine({ driver }));
      expect(selection).toMatchObject({ usable: [], problem: driver });
      expect(new Set(selection.candidates.map(({ code }) => code)).size).toBeLessThan(2);
    }
  });

  it("for different reasons: all of them are told", () => {
    const { problem } = selectLibrary(shipped, machine({ driver: "12.8", gpus: ["3.5"] }));
    expect(problem!.code).toBe("CUDA_NO_LIBRARY_FITS");
    for (const word of ["cuda130 (CUDA_DRIVER_TOO_OLD)", "cuda124 (CUDA_NO_CODE_FOR_GPU)", "sm_35"])
      expect(problem!.message).toContain(word);
  });

  it("for a process with another CUDA: the missing library is named, and those that are there", () => {
    const dynamic = ["cuda121", "cuda128"].map((id) => library(id, { linkage: "dynamic" }));
    const { problem } = selectLibrary(dynamic, machine({ host: "11.8", driver: "12.8", gpus: ["8.6"] }));
    expect(problem!.code).toBe("CUDA_VERSION_MISMATCH");
    for (const word of ["cuda118", "libhalfbyte_cuda118.so", "cuda121, cuda128"])
      expect(problem!.message).toContain(word);
  });

  it("libraries for ROCm do not count on a CUDA machine", () => {
    const selection = selectLibrary([library("rocm72")], ampere);
    expect(told(selection)).toEqual(["rocm72 LIBRARY_WRONG_KIND"]);
    expect(selection.problem!.code).toBe("LIBRARY_NOT_FOUND");
    expect(selection.problem!.message).toContain("CUDA library");
  });
});

describe("an override", () => {
  const overridden = (id: string, libraries: readonly SelectableLibrary[] = shipped, facts = ampere) =>
    selectLibrary(libraries, facts, { override: nameOf(id) });

  it("takes the library named, and no other one", () => {
    const selection = overridden("cuda118");
    expect(usable(selection)).toEqual(["/libs/libhalfbyte_cuda118.so"]);
    expect(told(selection)).toEqual(["cuda118 OTHER_MAJOR", "cuda124 EXACT", "cuda130 CUDA_DRIVER_TOO_OLD"]);
  });

  it("is followed against the checks, which are told", () => {
    const selection = overridden("cuda130");
    expect(usable(selection)).toEqual(["/libs/libhalfbyte_cuda130.so"]);
    expect(selection.candidates[0]).toMatchObject({
      library: "cuda130",
      verdict: "refused",
      code: "CUDA_DRIVER_TOO_OLD",
    });
  });

  it("of a version that is not there names those that are, and falls back to none", () => {
    expect(overridden("cuda128")).toMatchObject({
      usable: [],
      problem: { code: "OVERRIDE_NOT_FOUND", message: expect.stringContaining("cuda118, cuda124, cuda130") },
    });
    expect(overridden("cuda128", []).problem!.message).toContain("none of any version");
  });

  it("does not load a file that its manifest speaks against, unless another place has the version", () => {
    const changed = library("cuda124", { path: "/0", refusal: reasonOf("LIBRARY_CHANGED", "It was changed.") });
    expect(overridden("cuda124", [changed])).toMatchObject({ usable: [], problem: { code: "LIBRARY_CHANGED" } });
    expect(usable(overridden("cuda124", [changed, library("cuda124", { path: "/1" })]))).toEqual(["/1"]);
  });

  it("cannot do without a driver", () => {
    const driver = reasonOf("CUDA_NO_DRIVER", "libcuda was not found.");
    const without = { ...ampere, driver };
    expect(overridden("cuda124", shipped, without)).toMatchObject({ usable: [], problem: driver });
    expect(overridden("cuda128", shipped, without).problem!.code).toBe("OVERRIDE_NOT_FOUND");
  });

  it("of ROCm asks nothing of a CUDA driver", () => {
    const driver = reasonOf("CUDA_NO_DRIVER", "libcuda was not found.");
    const facts = { ...ampere, runtime: "rocm" as const, driver };
    expect(usable(overridden("rocm72", [...shipped, library("rocm72")], facts))).toEqual([
      "/libs/libhalfbyte_rocm72.so",
    ]);
  });
});
