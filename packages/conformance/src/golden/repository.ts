/** The golden vectors of the clone that this file is part of. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { halfbyteError } from "@halfbyte/core";
import { folderFiles } from "./folder.js";
import type { VectorFiles } from "./vector-files.js";

export const repositoryVectors = (): VectorFiles =>
  folderFiles(goldenFolderAbove(dirname(fileURLToPath(import.meta.url))));

/** The repository's golden folder: the nearest one above `from`. */
export function goldenFolderAbove(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const golden = join(folder, "golden");
    if (existsSync(join(golden, "generate.py"))) return golden;
    if (folder === dirname(folder)) throw noGoldenFolder(from);
  }
}

const noGoldenFolder = (from: string) =>
  halfbyteError("VECTORS_NOT_FOUND", `There is no golden folder above ${from}.`, {
    details: { folder: from },
    remedy: "The published package carries no vectors: use a clone of the halfbyte repository.",
  });
