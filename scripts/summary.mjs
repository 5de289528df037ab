/** The last line of `npm test` and of `.ci/run`, from the counts that summary-reporter.mjs leaves in a file. */
import { readFileSync } from "node:fs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * The counts of a vitest run. A run that ended with an error but reported no failure (or nothing at all) counts as one.
 * @param {string} path
 * @param {number} exitCode
 * @returns {Counts}
 */
export function readSummary(path, exitCode) {
  const counts = parse(path);
  return exitCode !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function parse(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** @param {Counts} counts */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
