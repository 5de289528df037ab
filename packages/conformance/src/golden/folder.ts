/** Golden vectors in a folder. Needs Node, as repository.ts does: both are imported when they are needed. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { halfbyteError } from "@halfbyte/core";
import type { VectorFiles } from "./vector-files.js";

/** Rejects with VECTORS_NOT_FOUND when the folder cannot be read. */
export const folderFiles = (folder: string): VectorFiles => ({
  list: () => pathsBelow(folder, ""),
  read: async (path) => new Uint8Array(await readFile(join(folder, path))),
});

async function pathsBelow(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true }).catch((cause: unknown) => {
    throw halfbyteError("VECTORS_NOT_FOUND", `${join(folder, prefix)} cannot be read.`, { details: { folder }, cause });
  });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${prefix}${entry.name}`;
    if (!entry.isDirectory()) found.push(path);
    else if (!isForeign(entry.name)) found.push(...(await pathsBelow(folder, `${path}/`)));
  }
  return found;
}

const isForeign = (folder: string): boolean => folder === "node_modules" || folder.startsWith(".");
