/** Where a report goes: tables or JSON on stdout, files, the results of record. */
import { mkdirSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { htmlOf } from "./html.js";
import type { Report } from "./row.js";
import { printReport } from "./table.js";

export interface Wanted {
  /** `true`: on stdout, in place of the tables. */
  readonly json?: true | string;
  readonly html?: string;
  readonly record?: string;
}

/** Records lie in the repository, by name. */
const resultsFolder = join(import.meta.dirname, "..", "..", "results");

export function writeReport(report: Report, { json, html, record }: Wanted): void {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (json === true) process.stdout.write(text);
  else printReport(report);
  if (typeof json === "string") writeFileSync(fromUser(json), text);
  if (html !== undefined) writeFileSync(fromUser(html), htmlOf(report));
  if (record !== undefined) {
    mkdirSync(resultsFolder, { recursive: true });
    writeFileSync(join(resultsFolder, `${record}.json`), text);
    writeFileSync(join(resultsFolder, `${record}.html`), htmlOf(report));
  }
}

/** Relative paths mean the folder where the user typed the command. */
const fromUser = (path: string): string =>
  isAbsolute(path) ? path : resolve(process.env["INIT_CWD"] ?? process.cwd(), path);
