/** Versions of CUDA and ROCm: `12.4` for people, 12040 for drivers, `124` in file names. */

export interface RuntimeVersion {
  readonly major: number;
  readonly minor: number;
}

export type Runtime = "cuda" | "rocm";

/** As people write them. */
export const runtimeNames: Readonly<Record<Runtime, string>> = { cuda: "CUDA", rocm: "ROCm" };

/** The first two numbers of "12.4", "12.4.131" or "V12.4"; undefined when there are none. */
export function parseVersion(text: string): RuntimeVersion | undefined {
  const match = /^v?(\d{1,3})\.(\d{1,3})(?!\d)/i.exec(text.trim());
  return match ? { major: Number(match[1]), minor: Number(match[2]) } : undefined;
}

/** What cuDriverGetVersion and CUDART_VERSION say: 1000 · major + 10 · minor; 12.10 is 12100. */
export const versionOfNumber = (number: number): RuntimeVersion => ({
  major: Math.floor(number / 1000),
  minor: Math.floor((number % 1000) / 10),
});

export const formatVersion = ({ major, minor }: RuntimeVersion): string => `${major}.${minor}`;

/** Negative when a is older. */
export const compareVersions = (a: RuntimeVersion, b: RuntimeVersion): number => a.major - b.major || a.minor - b.minor;

export const sameVersion = (a: RuntimeVersion, b: RuntimeVersion): boolean => compareVersions(a, b) === 0;

/** How many digits the major has in a file name; the rest is the minor. As upstream: cuda124 is 12.4, rocm713 is 7.13. */
const majorDigits: Readonly<Record<Runtime, number>> = { cuda: 2, rocm: 1 };

/** The version that digits stand for; undefined when they are too few or no digits. */
export function versionOfDigits(runtime: Runtime, digits: string): RuntimeVersion | undefined {
  const length = majorDigits[runtime];
  if (!/^[1-9]\d{1,4}$/.test(digits) || digits.length <= length) return undefined;
  const [major, minor] = [digits.slice(0, length), digits.slice(length)];
  // No version is written 12.04, so 1204 means none.
  return minor.length > 1 && minor.startsWith("0") ? undefined : { major: Number(major), minor: Number(minor) };
}

export const digitsOf = ({ major, minor }: RuntimeVersion): string => `${major}${minor}`;
