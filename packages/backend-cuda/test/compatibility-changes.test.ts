/** Every change a monitor can report, one row each: what was different, and what is said. */
import type { Reason } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import type { ChosenLibrary, Compatibility } from "../src/compatibility.js";
import { type ChangeCode, changeCatalogue } from "../src/compatibility-change.js";
import { compatibilityChanges } from "../src/compatibility-changes.js";

const reason = (code: string, message = "Because."): Reason => ({ code, message, remedy: "Do." });

const chosen = (changes: Partial<ChosenLibrary> = {}): ChosenLibrary => ({
  library: "cuda124",
  version: "12.4",
  path: "/libs/libhalfbyte_cuda124.so",
  verdict: "exact",
  code: "EXACT",
  reason: "onnxruntime has CUDA 12.4, as the library.",
  degraded: false,
  overridden: false,
  ...changes,
});

const usual: Compatibility = {
  driver: { major: 12, minor: 4 },
  kernelDriver: "550.54.14",
  gpus: [{ id: "GPU-a", name: "A10" }],
  frameworks: [{ name: "onnxruntime-node", version: "1.20.0", cuda: { major: 12 } }],
  libraries: [{ library: "cuda124", path: "/libs/libhalfbyte_cuda124.so", sha256: "aa" }],
  replacedFiles: [],
  selection: chosen(),
};

const other = chosen({ library: "cuda118", path: "/libs/libhalfbyte_cuda118.so", code: "OTHER_MAJOR" });
const { gpus: _none, ...withoutGpus } = usual;
const { kernelDriver: _unknown, ...withoutKernel } = usual;

interface Row {
  readonly name: string;
  readonly before?: Partial<Compatibility>;
  readonly after: Partial<Compatibility>;
  /** Codes in their order, and what one of the messages says. */
  readonly codes: readonly ChangeCode[];
  readonly says?: RegExp;
}

const rows: Row[] = [
  { name: "nothing", after: {}, codes: [] },
  {
    name: "driver updated within the major",
    after: { driver: { major: 12, minor: 8 }, kernelDriver: "570.26" },
    codes: ["DRIVER_CHANGED"],
    says: /from CUDA 12\.4 \(550\.54\.14\) to CUDA 12\.8 \(570\.26\)/,
  },
  {
    name: "driver updated, same CUDA",
    after: { kernelDriver: "550.90.07" },
    codes: ["DRIVER_CHANGED"],
    says: /550\.90\.07/,
  },
  {
    name: "driver downgraded",
    after: { driver: { major: 11, minor: 4 }, kernelDriver: "470.42.01" },
    codes: ["DRIVER_CHANGED"],
  },
  {
    name: "12.10 is not 12.1",
    before: { driver: { major: 12, minor: 1 } },
    after: { driver: { major: 12, minor: 10 } },
    codes: ["DRIVER_CHANGED"],
  },
  {
    name: "driver and library of different versions after an update",
    after: { driver: reason("CUDA_DRIVER_MISMATCH", "libcuda is 570, the kernel driver 550.") },
    codes: ["DRIVER_LOST"],
    says: /libcuda is 570.*\(CUDA_DRIVER_MISMATCH\)/,
  },
  { name: "driver appears", before: { driver: reason("CUDA_NO_DRIVER") }, after: {}, codes: ["DRIVER_FOUND"] },
  {
    name: "driver still missing",
    before: { driver: reason("CUDA_NO_DRIVER") },
    after: { driver: reason("CUDA_NO_DRIVER") },
    codes: [],
  },
  {
    name: "same problem in other words",
    before: { driver: reason("CUDA_FAILED", "999") },
    after: { driver: reason("CUDA_FAILED", "1000") },
    codes: [],
  },
  {
    name: "another problem of the driver",
    before: { driver: reason("CUDA_NO_DRIVER") },
    after: { driver: reason("CUDA_NO_DEVICE") },
    codes: ["DRIVER_PROBLEM_CHANGED"],
  },
  {
    name: "libcuda replaced under the process",
    after: { replacedFiles: ["/usr/lib/libcuda.so.550.54.14"] },
    codes: ["LOADED_FILE_REPLACED"],
    says: /libcuda\.so\.550\.54\.14 was replaced/,
  },
  {
    name: "said once",
    before: { replacedFiles: ["/usr/lib/libcuda.so.1"] },
    after: { replacedFiles: ["/usr/lib/libcuda.so.1"] },
    codes: [],
  },
  { name: "GPU gone", after: { gpus: [] }, codes: ["GPU_GONE"], says: /A10 \(GPU-a\) is gone/ },
  { name: "GPU added", after: { gpus: [...usual.gpus!, { id: "GPU-b", name: "A10" }] }, codes: ["GPU_ADDED"] },
  {
    name: "GPU exchanged",
    after: { gpus: [{ id: "GPU-b", name: "L4" }] },
    codes: ["GPU_GONE", "GPU_ADDED"],
  },
  {
    name: "GPU lost",
    after: { gpus: [{ id: "GPU-a", name: "A10", lost: reason("GPU_LOST", "It fell off the bus.") }] },
    codes: ["GPU_LOST"],
    says: /fell off the bus/,
  },
  {
    name: "GPU back",
    before: { gpus: [{ id: "GPU-a", name: "A10", lost: reason("GPU_LOST") }] },
    after: {},
    codes: ["GPU_RECOVERED"],
  },
  {
    name: "GPU lost before and now",
    before: { gpus: [{ id: "GPU-a", name: "A10", lost: reason("GPU_LOST") }] },
    after: { gpus: [{ id: "GPU-a", name: "A10", lost: reason("GPU_LOST") }] },
    codes: [],
  },
  {
    name: "framework upgraded to another CUDA",
    after: { frameworks: [{ name: "onnxruntime-node", version: "1.30.0", cuda: { major: 13 } }] },
    codes: ["FRAMEWORK_CHANGED"],
    says: /from 1\.20\.0 \(CUDA 12\) to 1\.30\.0 \(CUDA 13\)/,
  },
  {
    name: "framework without CUDA now",
    after: { frameworks: [{ name: "onnxruntime-node", version: "1.20.0" }] },
    codes: ["FRAMEWORK_CHANGED"],
    says: /CUDA unknown/,
  },
  { name: "framework removed", after: { frameworks: [] }, codes: ["FRAMEWORK_REMOVED"] },
  {
    name: "framework installed",
    after: {
      frameworks: [
        ...usual.frameworks,
        { name: "@tensorflow/tfjs-node-gpu", version: "4.22.0", cuda: { major: 11, minor: 2 } },
      ],
    },
    codes: ["FRAMEWORK_ADDED"],
    says: /4\.22\.0 \(CUDA 11\.2\)/,
  },
  {
    name: "library replaced",
    after: { libraries: [{ library: "cuda124", path: "/libs/libhalfbyte_cuda124.so", sha256: "bb" }] },
    codes: ["LIBRARY_REPLACED"],
  },
  {
    name: "library replaced by one that its manifest does not describe",
    after: {
      libraries: [
        {
          library: "cuda124",
          path: "/libs/libhalfbyte_cuda124.so",
          sha256: "bb",
          refusal: reason("LIBRARY_CHANGED", "Another hash."),
        },
      ],
      selection: reason("CUDA_NO_LIBRARY_FITS", "Nothing fits."),
    },
    codes: ["LIBRARY_REFUSED", "SELECTION_LOST"],
    says: /Another hash/,
  },
  {
    name: "library repaired",
    before: {
      libraries: [{ library: "cuda124", path: "/libs/libhalfbyte_cuda124.so", refusal: reason("LIBRARY_CHANGED") }],
    },
    after: {},
    codes: ["LIBRARY_ACCEPTED"],
  },
  {
    name: "library unreadable now",
    after: { libraries: [{ library: "cuda124", path: "/libs/libhalfbyte_cuda124.so" }] },
    codes: ["LIBRARY_REPLACED"],
  },
  {
    name: "library removed and another chosen",
    after: { libraries: [], selection: other },
    codes: ["LIBRARY_REMOVED", "SELECTION_CHANGED"],
    says: /Instead of cuda124 the choice is cuda118/,
  },
  {
    name: "the same version in another folder",
    after: {
      libraries: [...usual.libraries, { library: "cuda124", path: "/store/libhalfbyte_cuda124.so", sha256: "aa" }],
      selection: chosen({ path: "/store/libhalfbyte_cuda124.so" }),
    },
    codes: ["LIBRARY_ADDED", "SELECTION_CHANGED"],
  },
  {
    name: "selection found",
    before: { selection: reason("LIBRARY_NOT_FOUND") },
    after: {},
    codes: ["SELECTION_FOUND"],
  },
  { name: "selection lost", after: { selection: reason("OVERRIDE_INVALID") }, codes: ["SELECTION_LOST"] },
  {
    name: "still none, for another reason",
    before: { selection: reason("CUDA_NO_DRIVER") },
    after: { selection: reason("OVERRIDE_INVALID") },
    codes: ["SELECTION_PROBLEM_CHANGED"],
  },
  {
    name: "degraded now",
    after: { selection: chosen({ degraded: true, code: "DRIVER_OLDER" }) },
    codes: ["SELECTION_DEGRADED"],
  },
  {
    name: "no longer degraded",
    before: { selection: chosen({ degraded: true }) },
    after: {},
    codes: ["SELECTION_IMPROVED"],
  },
  {
    name: "everything after a driver update, causes first",
    after: {
      driver: reason("CUDA_DRIVER_MISMATCH"),
      replacedFiles: ["/usr/lib/libcuda.so.1"],
      gpus: [],
      selection: reason("CUDA_DRIVER_MISMATCH"),
    },
    codes: ["DRIVER_LOST", "LOADED_FILE_REPLACED", "GPU_GONE", "SELECTION_LOST"],
  },
];

describe("compatibilityChanges", () => {
  it.each(rows)("$name", ({ before, after, codes, says }) => {
    const changes = compatibilityChanges({ ...usual, ...before }, { ...usual, ...after });
    expect(changes.map(({ code }) => code)).toEqual(codes);
    if (says) expect(changes.map(({ message }) => message).join("\n")).toMatch(says);
    for (const { level, remedy, message } of changes)
      expect([level, remedy.length > 0, message.length > 0]).toEqual([
        expect.stringMatching(/^(info|warn)$/),
        true,
        true,
      ]);
  });

  it("has a row for every code", () => {
    const tested = new Set(rows.flatMap(({ codes }) => codes));
    expect(Object.keys(changeCatalogue).filter((code) => !tested.has(code as ChangeCode))).toEqual([]);
  });

  it("says nothing of GPUs while nobody can tell which there are", () => {
    expect(compatibilityChanges(withoutGpus, usual)).toEqual([]);
    expect(compatibilityChanges(usual, withoutGpus)).toEqual([]);
  });

  it("tells a kernel driver that has become known", () => {
    expect(compatibilityChanges(withoutKernel, usual).map(({ code }) => code)).toEqual(["DRIVER_CHANGED"]);
  });
});
