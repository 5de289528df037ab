/** Text in columns that fits a width: cells are wrapped at spaces, and words that are too long within. */

export interface TableOptions {
  readonly head?: readonly string[];
  readonly width?: number;
  readonly indent?: number;
  /** The most a column takes; the last one takes what is left. */
  readonly limit?: number;
}

const gap = 2;
const narrowest = 16;

/** Lines without trailing spaces. */
export function tableLines(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  const { head, width = 100, indent = 2, limit = 34 } = options;
  const all = head ? [head, ...rows] : rows;
  const widths = widthsOf(all, width - indent, limit);
  return all.flatMap((row) => rowLines(row, widths).map((line) => `${" ".repeat(indent)}${line}`.trimEnd()));
}

function widthsOf(rows: readonly (readonly string[])[], width: number, limit: number): number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const natural = Array.from({ length: columns }, (_, i) => Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)));
  const firsts = natural.slice(0, -1).map((wanted) => Math.min(wanted, limit));
  const left = width - firsts.reduce((sum, wanted) => sum + wanted + gap, 0);
  return [...firsts, Math.max(narrowest, left)];
}

function rowLines(row: readonly string[], widths: readonly number[]): string[] {
  const cells = row.map((cell, i) => wrapped(cell, widths[i]!));
  const height = Math.max(0, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    cells.map((lines, i) => (lines[line] ?? "").padEnd(widths[i]!)).join(" ".repeat(gap)),
  );
}

/** At least one line; line breaks of the text stay. */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => wrappedLine(line, width));
}

function wrappedLine(line: string, width: number): string[] {
  const lines = [""];
  for (const word of line.split(/ +/).flatMap((word) => pieces(word, width))) {
    const last = lines.at(-1)!;
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A word that is longer than a line, such as a path, is broken after a slash or a comma where it has one. */
function pieces(word: string, width: number): string[] {
  if (word.length <= width) return [word];
  const fitting = word.slice(0, width);
  const after = Math.max(fitting.lastIndexOf("/"), fitting.lastIndexOf(",")) + 1;
  const end = after > width / 3 ? after : width;
  return [word.slice(0, end), ...pieces(word.slice(end), width)];
}
