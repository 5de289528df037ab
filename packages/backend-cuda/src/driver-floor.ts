/**
 * From which driver on a CUDA version runs: NVIDIA's release notes, tables of the toolkit driver versions. A driver's CUDA major
 * must not be below the library's; within a major an older driver runs newer libraries (minor-version compatibility).
 */
import { compareVersions, type RuntimeVersion } from "./runtime-version.js";

interface Driver {
  readonly linux: string;
  readonly windows: string;
}

/** The oldest driver branch for a CUDA major. Majors that are not here follow the rule alone. */
const floors: Readonly<Record<number, Driver>> = {
  11: { linux: "450.80.02", windows: "452.39" },
  12: { linux: "525.60.13", windows: "528.33" },
  13: { linux: "580.65.06", windows: "580" },
};

/** The driver that came with a CUDA version, on Linux: from it on, a kernel driver's number tells its CUDA version. */
const shipped: readonly (readonly [cuda: string, driver: string])[] = [
  ["11.0", "450.36.06"],
  ["11.1", "455.23"],
  ["11.2", "460.27.03"],
  ["11.3", "465.19.01"],
  ["11.4", "470.42.01"],
  ["11.5", "495.29.05"],
  ["11.6", "510.39.01"],
  ["11.7", "515.43.04"],
  ["11.8", "520.61.05"],
  ["12.0", "525.60.13"],
  ["12.1", "530.30.02"],
  ["12.2", "535.54.03"],
  ["12.3", "545.23.06"],
  ["12.4", "550.54.14"],
  ["12.5", "555.42.02"],
  ["12.6", "560.28.03"],
  ["12.7", "565.57.01"],
  ["12.8", "570.26"],
  ["12.9", "575.51.03"],
  ["13.0", "580.65.06"],
  ["13.1", "590.44.01"],
];

/** Such as "R525 (525.60.13) or newer". */
export function driverNeeded(cuda: RuntimeVersion, platform: NodeJS.Platform = "linux"): string {
  const version = oldestDriver(cuda, platform);
  if (version === undefined) return `a driver whose CUDA version is ${cuda.major}.0 or newer`;
  const branch = branchOf(version);
  return branch === version ? `driver R${branch} or newer` : `driver R${branch} (${version}) or newer`;
}

/** The oldest driver that runs this CUDA major; undefined for majors that are not known here. */
export function oldestDriver({ major }: RuntimeVersion, platform: NodeJS.Platform = "linux"): string | undefined {
  const floor = floors[major];
  return platform === "win32" ? floor?.windows : floor?.linux;
}

/** 525 of 525.60.13: what packages of drivers are named by. */
export const branchOf = (driver: string): string => driver.split(".")[0]!;

/** The Linux driver that came with this CUDA version and compiles its PTX. */
export const driverShippedWith = (cuda: RuntimeVersion): string | undefined =>
  shipped.find(([version]) => version === `${cuda.major}.${cuda.minor}`)?.[1];

/** What libcuda of this kernel driver says, by the table; the last known one for drivers beyond it. Undefined before CUDA 11. */
export function cudaOfDriver(driver: string): RuntimeVersion | undefined {
  const found = shipped.filter(([, first]) => compareDrivers(driver, first) >= 0).at(-1);
  if (!found) return undefined;
  const [major, minor] = found[0].split(".").map(Number) as [number, number];
  return { major, minor };
}

/** Numeric, part by part; glibc's versions are written like drivers'. A part that is no number counts as 0. */
export function compareDrivers(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split(".").map((part) => Number.parseInt(part, 10) || 0)) as [
    number[],
    number[],
  ];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export const isOlder = (a: RuntimeVersion, b: RuntimeVersion): boolean => compareVersions(a, b) < 0;
