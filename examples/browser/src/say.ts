/** Figures as people read them. */

const units = ["bytes", "KB", "MB", "GB", "TB"];

/** 4.43 MB; powers of 1000, as files are measured. */
export function bytes(count: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${power === 0 ? count : significant(count / 1000 ** power)} ${units[power]}`;
}

/** Three significant digits, without an exponent where that is readable. */
export function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 0.001 || size >= 1e6) return value.toExponential(2);
  return size >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export const decibel = (value: number): string => (value === Number.POSITIVE_INFINITY ? "exact" : value.toFixed(1));

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export const milliseconds = (ms: number): string =>
  ms >= 1000 ? `${significant(ms / 1000)} s` : `${significant(ms)} ms`;

export const shape = (dimensions: readonly number[]): string =>
  dimensions.length === 0 ? "scalar" : dimensions.join("\u00a0×\u00a0");

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** 128 MiB; powers of 1024, as memory is. */
export function memory(count: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, count)) / 10));
  return `${Number((count / 1024 ** power).toFixed(2))} ${["bytes", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** Reasons of a backend continue a sentence. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
