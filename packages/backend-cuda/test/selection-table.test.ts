/**
 * What the selection says, row by row, written from the rules and not from the program. `libraries`: 124 is cuda124, 124* takes its
 * CUDA from the process. `verdicts`: every library in the order in which it is tried, behind | those that are refused.
 */
import { describe, expect, it } from "vitest";
import type { Runtime } from "../src/runtime-version.js";
import { type Preference, type SelectableLibrary, selectLibrary } from "../src/select-library.js";
import { library, machine } from "./libraries.js";

interface Row {
  readonly libraries: string;
  readonly host: string;
  readonly driver: string;
  readonly gpus: string;
  readonly verdicts: string;
}

const rowsOf = (table: string): Row[] =>
  table
    .trim()
    .split("\n")
    .map((line) => {
      const [libraries, host, driver, gpus, ...verdicts] = line.split(";").map((cell) => cell.trim());
      return { libraries: libraries!, host: host!, driver: driver!, gpus: gpus!, verdicts: verdicts.join("; ") };
    });

const librariesOf = (text: string, runtime: Runtime): SelectableLibrary[] =>
  text.split(" ").map((word) => {
    const changes = word.endsWith("*") ? { linkage: "dynamic" as const } : {};
    return library(`${runtime}${word.replace("*", "")}`, changes);
  });

function verdictsOf({ libraries, host, driver, gpus }: Row, prefer: Preference, runtime: Runtime = "cuda"): string {
  const asked = host === "none" ? {} : { host };
  const facts = { ...machine({ driver, gpus: gpus.split(" "), ...asked }), runtime };
  const { candidates, usable } = selectLibrary(librariesOf(libraries, runtime), facts, { prefer });
  const told = candidates.map(({ library, code }) => `${library.replace(runtime, "")} ${code}`);
  const [tried, refused] = [told.slice(0, usable.length), told.slice(usable.length)];
  return `${tried.join(", ")} | ${refused.join(", ")}`.trim();
}

const tables = {
  "the host's version decides among what runs": `
118 124 130; 11.8; 13.1; 8.6; 118 EXACT, 130 OTHER_MAJOR, 124 OTHER_MAJOR |
118 124 130; 11.2; 13.1; 8.6; 118 HIGHER_MINOR, 130 OTHER_MAJOR, 124 OTHER_MAJOR |
118 124 130; 12.0; 13.1; 8.6; 124 HIGHER_MINOR, 130 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 12.4; 13.1; 8.6; 124 EXACT, 130 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 12.9; 13.1; 8.6; 124 LOWER_MINOR, 130 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 13.0; 13.1; 8.6; 130 EXACT, 124 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 13.2; 13.1; 8.6; 130 LOWER_MINOR, 124 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 14.0; 13.1; 8.6; 130 OTHER_MAJOR, 124 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; 10.2; 13.1; 8.6; 130 OTHER_MAJOR, 124 OTHER_MAJOR, 118 OTHER_MAJOR |
118 124 130; none; 13.1; 8.6; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |`,
  "many versions of one major: exact, highest lower, lowest higher": `
118 121 124 126 128 129 130; 12.0; 13.2; 8.6; 121 HIGHER_MINOR, 124 HIGHER_MINOR, 126 HIGHER_MINOR, 128 HIGHER_MINOR, 129 HIGHER_MINOR, 130 OTHER_MAJOR, 118 OTHER_MAJOR |
121 124 126 128; 12.1; 12.9; 8.6; 121 EXACT, 124 HIGHER_MINOR, 126 HIGHER_MINOR, 128 HIGHER_MINOR |
121 124 126 128; 12.5; 12.9; 8.6; 124 LOWER_MINOR, 121 LOWER_MINOR, 126 HIGHER_MINOR, 128 HIGHER_MINOR |
121 124 126 128; 12.9; 12.9; 8.6; 128 LOWER_MINOR, 126 LOWER_MINOR, 124 LOWER_MINOR, 121 LOWER_MINOR |
130 132; 13.1; 13.2; 8.6; 130 LOWER_MINOR, 132 HIGHER_MINOR |
130 132; 13.2; 13.2; 8.6; 132 EXACT, 130 LOWER_MINOR |
129 1210; 12.10; 12.10; 8.6; 1210 EXACT, 129 LOWER_MINOR |
129 1210; 12.9; 12.10; 8.6; 129 EXACT, 1210 HIGHER_MINOR |`,
  "a host that tells its major only takes the driver's minor, or any": `
118 124 130; 12; 13.0; 8.6; 124 EXACT, 130 OTHER_MAJOR, 118 OTHER_MAJOR |
121 124 128; 12; 13.0; 8.6; 128 EXACT, 124 EXACT, 121 EXACT |
121 124 126 128; 12; 12.6; 8.6; 126 EXACT, 124 EXACT, 121 EXACT, 128 DRIVER_OLDER |
121 124 128; 12; 12.5; 8.6; 124 EXACT, 121 EXACT, 128 DRIVER_OLDER |
118 124 130; 12; 12.0; 8.6; 124 DRIVER_OLDER, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 11; 12.4; 8.6; 118 EXACT, 124 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 13; 13.0; 8.6; 130 EXACT, 124 OTHER_MAJOR, 118 OTHER_MAJOR |`,
  "nobody asks for a version: what the driver covers, then what is least ahead of it": `
118 124 130; none; 11.8; 8.6; 118 NO_HOST | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD
118 124 130; none; 11.7; 8.6; 118 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD
118 124 130; none; 12.0; 8.6; 118 NO_HOST, 124 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 12.3; 8.6; 118 NO_HOST, 124 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 12.4; 8.6; 124 NO_HOST, 118 NO_HOST | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 13.0; 8.6; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |
118 124 130; none; 20.1; 8.6; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |
121 124 126 128; none; 12.2; 8.6; 121 NO_HOST, 124 DRIVER_OLDER, 126 DRIVER_OLDER, 128 DRIVER_OLDER |
124 126 128; none; 12.1; 8.6; 124 DRIVER_OLDER, 126 DRIVER_OLDER, 128 DRIVER_OLDER |
118 124 130; none; 10.2; 8.6; | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD, 118 CUDA_DRIVER_TOO_OLD
118 124 130; none; 9.0; 6.1; | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD, 118 CUDA_DRIVER_TOO_OLD`,
  "a driver of the same major and a lower minor degrades": `
118 124 130; 12.4; 12.0; 8.6; 124 DRIVER_OLDER, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 12.4; 12.3; 8.6; 124 DRIVER_OLDER, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 12.1; 12.2; 8.6; 124 DRIVER_OLDER, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 11.8; 11.0; 8.6; 118 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD
121 124 126 128; 12.9; 12.6; 8.6; 128 DRIVER_OLDER, 126 LOWER_MINOR, 124 LOWER_MINOR, 121 LOWER_MINOR |
130 132; 13.2; 13.0; 12.0; 132 DRIVER_OLDER, 130 LOWER_MINOR |`,
  "GPUs: machine code of the same major and no higher minor": `
118 124 130; none; 13.0; 5.0; 124 NO_HOST, 118 NO_HOST | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; 13.0; 13.0; 6.1; 124 OTHER_MAJOR, 118 OTHER_MAJOR | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; none; 13.1; 7.0; 124 NO_HOST, 118 NO_HOST | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; 12.4; 13.1; 7.2; 124 EXACT, 118 OTHER_MAJOR | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; none; 13.1; 7.5; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |
118 124 130; none; 13.1; 8.7; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |
118 124 130; none; 13.1; 9.0; 130 NO_HOST, 124 NO_HOST, 118 NO_HOST |
118 124 130; none; 12.8; 3.5; | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_NO_CODE_FOR_GPU, 118 CUDA_NO_CODE_FOR_GPU`,
  "newer GPUs run by PTX, where the driver is not older than it, and behind machine code": `
118 124 130; none; 12.8; 10.0; 124 PTX_JIT, 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 13.0; 12.0; 130 NO_HOST, 124 PTX_JIT, 118 PTX_JIT |
118 124 130; 12.8; 13.0; 12.0; 130 OTHER_MAJOR, 124 PTX_JIT, 118 PTX_JIT |
118 124 130; 11.8; 12.8; 12.0; 118 PTX_JIT, 124 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 12.1; 12.0; 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_PTX_TOO_NEW
118 124 130; 12.1; 12.1; 12.0; 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_PTX_TOO_NEW
118 124 130; none; 11.8; 12.0; 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD
118 124 130; none; 11.7; 12.0; | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD, 118 CUDA_PTX_TOO_NEW
118 124 130; none; 13.0; 12.1; 130 NO_HOST, 124 PTX_JIT, 118 PTX_JIT |
118 124 130; none; 14.0; 13.0; 130 PTX_JIT, 124 PTX_JIT, 118 PTX_JIT |
118 124 130; 13.2; 14.0; 13.0; 130 PTX_JIT, 124 PTX_JIT, 118 PTX_JIT |`,
  "several GPUs: every one of them must run": `
118 124 130; none; 13.0; 6.1 8.6; 124 NO_HOST, 118 NO_HOST | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; none; 13.0; 8.6 12.0; 130 NO_HOST, 124 PTX_JIT, 118 PTX_JIT |
118 124 130; none; 13.0; 6.1 12.0; 124 PTX_JIT, 118 PTX_JIT | 130 CUDA_NO_CODE_FOR_GPU
118 124 130; none; 12.1; 6.1 12.0; 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_PTX_TOO_NEW
118 124 130; none; 12.1; 3.5 12.0; | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_NO_CODE_FOR_GPU, 118 CUDA_NO_CODE_FOR_GPU
118 124 130; 12.4; 12.4; 8.6 8.6; 124 EXACT, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD`,
  "a library that takes its CUDA from the process must be of its major": `
121* 128*; 11.8; 12.8; 8.6; | 128 CUDA_VERSION_MISMATCH, 121 CUDA_VERSION_MISMATCH
121* 128*; 12.0; 12.8; 8.6; 121 HIGHER_MINOR, 128 HIGHER_MINOR |
121* 128*; 12.9; 12.9; 8.6; 128 LOWER_MINOR, 121 LOWER_MINOR |
118 124*; 13.0; 13.0; 8.6; 118 OTHER_MAJOR | 124 CUDA_VERSION_MISMATCH
118* 124*; 12; 12.4; 8.6; 124 EXACT | 118 CUDA_VERSION_MISMATCH
118* 124*; none; 12.4; 8.6; 124 NO_HOST, 118 NO_HOST |`,
};

describe.each(Object.entries(tables))("%s", (_, table) => {
  it.each(rowsOf(table))("$libraries for host $host, driver $driver, GPU $gpus", (row) => {
    expect(verdictsOf(row, "host")).toBe(row.verdicts);
  });
});

const onOldDriver = `
118 124 130; 12.1; 12.2; 8.6; 118 OTHER_MAJOR, 124 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 12; 12.0; 8.6; 118 OTHER_MAJOR, 124 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 12.4; 12.4; 8.6; 124 EXACT, 118 OTHER_MAJOR | 130 CUDA_DRIVER_TOO_OLD
118 124 130; 11.2; 11.4; 8.6; 118 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD, 124 CUDA_DRIVER_TOO_OLD
121 124 126 128; 12.9; 12.6; 8.6; 126 LOWER_MINOR, 124 LOWER_MINOR, 121 LOWER_MINOR, 128 DRIVER_OLDER |
118 124 130; 12.8; 12.8; 12.0; 124 PTX_JIT, 118 PTX_JIT | 130 CUDA_DRIVER_TOO_OLD
118 124 130; none; 12.1; 8.6; 118 NO_HOST, 124 DRIVER_OLDER | 130 CUDA_DRIVER_TOO_OLD`;

it.each(rowsOf(onOldDriver))("prefer driver: $libraries for host $host, driver $driver", (row) => {
  expect(verdictsOf(row, "driver")).toBe(row.verdicts);
});

// Of ROCm the host's version alone counts, whatever a CUDA driver says.
const ofRocm = `
60 72; 7.13; 12.4; 8.6; 72 LOWER_MINOR, 60 OTHER_MAJOR |
60 72; 7.2; 12.4; 8.6; 72 EXACT, 60 OTHER_MAJOR |
72 713; 7.13; 12.4; 8.6; 713 EXACT, 72 LOWER_MINOR |
72 713; 7.9; 12.4; 8.6; 72 LOWER_MINOR, 713 HIGHER_MINOR |
60* 72*; 7.13; 12.4; 8.6; 72 LOWER_MINOR | 60 CUDA_VERSION_MISMATCH
60* 72*; 8.0; 12.4; 8.6; | 72 CUDA_VERSION_MISMATCH, 60 CUDA_VERSION_MISMATCH
60 62; 6.1; 12.4; 8.6; 60 LOWER_MINOR, 62 HIGHER_MINOR |`;

it.each(rowsOf(ofRocm))("ROCm: $libraries for host $host", (row) => {
  expect(verdictsOf(row, "host", "rocm")).toBe(row.verdicts);
});

it("the tables have more than sixty rows", () => {
  const all = [...Object.values(tables), onOldDriver, ofRocm].flatMap(rowsOf);
  expect(all.length).toBeGreaterThan(60);
});
