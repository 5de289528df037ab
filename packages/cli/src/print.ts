/** What commands print on stdout. */
import Table from "cli-table3";

export function printJson(value: unknown): void {
  // JSON has no infinity; an exact copy has an infinite signal-to-noise ratio.
  process.stdout.write(
    `${JSON.stringify(value, (_, member: unknown) => (member === Number.POSITIVE_INFINITY ? "Infinity" : member), 2)}\n`,
  );
}

export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** A table without rules: columns are separated by two spaces. */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly number[] = [],
): void {
  const blank = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  };
  const colAligns = head.map((_, i) => (numeric.includes(i) ? "right" : "left"));
  const table = new Table({
    head: [...head],
    chars: blank,
    colAligns,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  printLine(table.toString().replace(/ +$/gm, ""));
}

const units = ["B", "KB", "MB", "GB", "TB"];

/** Decimal units. */
export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export const significant = (value: number): string => (Number.isFinite(value) ? value.toPrecision(4) : String(value));
