/** Versions and the names made of them, as upstream writes them: two digits of a CUDA major, one of a ROCm major. */
import { describe, expect, it } from "vitest";
import { parseCapability } from "../src/capability.js";
import { compareDrivers, cudaOfDriver, driverNeeded } from "../src/driver-floor.js";
import { libraryFileOf, libraryId, parseLibraryFile, parseLibraryId } from "../src/library-name.js";
import { formatVersion, parseVersion, versionOfDigits, versionOfNumber } from "../src/runtime-version.js";

const names = [
  ["cuda118", "11.8"],
  ["cuda121", "12.1"],
  ["cuda124", "12.4"],
  ["cuda128", "12.8"],
  ["cuda130", "13.0"],
  ["cuda132", "13.2"],
  ["cuda1210", "12.10"],
  ["rocm60", "6.0"],
  ["rocm72", "7.2"],
  ["rocm713", "7.13"],
] as const;

it.each(names)("%s is %s, there and back, on every system", (id, version) => {
  expect(formatVersion(parseLibraryId(id)!.version)).toBe(version);
  for (const platform of ["linux", "darwin", "win32"] as const) {
    const file = libraryFileOf(parseLibraryId(id)!, platform);
    expect(file).toMatch(new RegExp(`^libhalfbyte_${id}\\.(so|dylib|dll)$`));
    expect(libraryId(parseLibraryFile(file)!)).toBe(id);
  }
});

it.each([
  "libhalfbyte_cpu.so",
  "libhalfbyte_cuda.so",
  "libhalfbyte_cuda12.so",
  "libhalfbyte_cuda1204.so",
  "libhalfbyte_cuda024.so",
  "libhalfbyte_cuda124_emulated.so",
  "libhalfbyte_cuda124.so.1",
  "libhalfbyte_cuda124.so~",
  "xlibhalfbyte_cuda124.so",
  "libhalfbyte_cuda999999.so",
  "libhalfbyte_rocm7.so",
  "libhalfbyte_xpu2026.so",
  "libbitsandbytes_cuda124.so",
  "manifest.json",
])("%s is no versioned library", (file) => expect(parseLibraryFile(file)).toBeUndefined());

it.each(["", "cuda", "124", "CUDA124", "cuda12.4", "cuda-124", "cuda١٢٤"])("%j is no id", (id) =>
  expect(parseLibraryId(id)).toBeUndefined(),
);

describe("versions", () => {
  it.each([
    ["12.4", "12.4"],
    ["12.4.131", "12.4"],
    ["V12.4.131", "12.4"],
    [" 13.0 ", "13.0"],
    ["12.10", "12.10"],
  ])("%j → %s", (text, version) => expect(formatVersion(parseVersion(text)!)).toBe(version));

  it.each(["", "12", "twelve", "-12.4", "12.", ".4", "12.4567", "1234.5"])("%j is none", (text) =>
    expect(parseVersion(text)).toBeUndefined(),
  );

  it.each([
    [12040, "12.4"],
    [11080, "11.8"],
    [13000, "13.0"],
    [12100, "12.10"],
  ])("drivers write %d for %s", (number, version) => expect(formatVersion(versionOfNumber(number))).toBe(version));

  it.each(["", "1", "12", "012", "1204", "12a", " 124", "12.4", "-124", "999999"])("%j are no CUDA digits", (digits) =>
    expect(versionOfDigits("cuda", digits)).toBeUndefined(),
  );
});

describe("compute capabilities", () => {
  it.each([
    ["8.6", 8, 6],
    ["86", 8, 6],
    ["sm_120", 12, 0],
    ["compute_90", 9, 0],
    ["12.1", 12, 1],
    ["100", 10, 0],
  ])("%s", (text, major, minor) => expect(parseCapability(text)).toEqual({ major, minor }));

  // sm_90a runs on 9.0 and nowhere else, unlike everything the rules speak of.
  it.each(["", "8", "sm_90a", "100f", "8.60", "eight", "-8.6"])("%j is none", (text) =>
    expect(parseCapability(text)).toBeUndefined(),
  );
});

describe("drivers", () => {
  it.each([
    ["450.36.06", "11.0"],
    ["470.42.01", "11.4"],
    ["525.60.13", "12.0"],
    ["535.54.02", "12.1"],
    ["535.54.03", "12.2"],
    ["565.57.01", "12.7"],
    ["580.65.06", "13.0"],
    ["999.1", "13.1"],
  ])("%s has CUDA %s", (driver, cuda) => expect(formatVersion(cudaOfDriver(driver)!)).toBe(cuda));

  it.each(["440.33", "", "unknown", "-1"])("%j has none that is known", (driver) =>
    expect(cudaOfDriver(driver)).toBeUndefined(),
  );

  it("are compared part by part", () => {
    expect(compareDrivers("525.60.13", "525.105.17")).toBeLessThan(0);
    expect(compareDrivers("570.26", "570.26.0")).toBe(0);
    expect(compareDrivers("2.9", "2.17")).toBeLessThan(0);
  });

  it("that a CUDA version needs are named, unknown majors by the rule alone", () => {
    expect(driverNeeded({ major: 12, minor: 8 })).toBe("driver R525 (525.60.13) or newer");
    expect(driverNeeded({ major: 13, minor: 0 }, "win32")).toBe("driver R580 or newer");
    expect(driverNeeded({ major: 15, minor: 3 })).toContain("15.0 or newer");
  });
});
