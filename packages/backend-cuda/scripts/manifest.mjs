/**
 * manifest.json beside the CUDA libraries: one entry for each, from which a library is chosen without loading it. The loader compares the hash
 * before it touches the file. Plain Node.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const manifestOf = (folder) => join(folder, "manifest.json");

/** @param {string} path */
export const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Those whose file is there. @param {string} folder @returns {import("./manifest.d.mts").Entry[]} */
export function entriesOf(folder) {
  const manifest = manifestOf(folder);
  if (!existsSync(manifest)) return [];
  const { libraries } = JSON.parse(readFileSync(manifest, "utf8"));
  return libraries.filter(({ file }) => existsSync(join(folder, file)));
}

/** Adds an entry, or replaces the one of the same file. @param {string} folder @param {import("./manifest.d.mts").Entry} entry */
export function putEntry(folder, entry) {
  const others = entriesOf(folder).filter(({ file }) => file !== entry.file);
  const libraries = [...others, entry].sort((a, b) => (a.file < b.file ? -1 : 1));
  const written = `${manifestOf(folder)}.${process.pid}`;
  writeFileSync(written, `${JSON.stringify({ libraries }, null, 2)}\n`);
  // Whoever reads it meanwhile sees the old one or the new one.
  renameSync(written, manifestOf(folder));
}
