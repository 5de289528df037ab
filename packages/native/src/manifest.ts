/**
 * manifest.json beside native libraries: which files there are and the SHA-256 of each, written when they were built. It is looked
 * at before a library is touched, so that one that was changed, mixed up or copied in part is not loaded.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { messageOf, type Reason } from "@halfbyte/core";
import { abiVersion } from "./abi.js";
import { reasonOf } from "./reason.js";

/** What the loader needs of an entry; whoever wrote it may say more. */
interface ManifestEntry {
  readonly file: string;
  readonly sha256: string;
  readonly abi: number;
}

/** Why the manifest speaks against a library with this hash. A folder may lack it where the user vouches for what is in it. */
export function manifestRefusal(path: string, sha256: string, required: boolean): Reason | undefined {
  const manifest = join(dirname(path), "manifest.json");
  if (!existsSync(manifest) && !required) return undefined;
  const entry = entryOf(manifest, basename(path));
  if ("code" in entry) return entry;
  if (entry.sha256 !== sha256)
    return reasonOf("LIBRARY_CHANGED", `${path} has another SHA-256 than its manifest says.`);
  if (entry.abi !== abiVersion)
    return reasonOf("LIBRARY_ABI_MISMATCH", `${path} has ABI version ${entry.abi}; this package needs ${abiVersion}.`);
  return undefined;
}

function entryOf(manifest: string, file: string): ManifestEntry | Reason {
  try {
    const { libraries } = JSON.parse(readFileSync(manifest, "utf8")) as { libraries: readonly unknown[] };
    const entry = libraries.filter(isEntry).find((entry) => entry.file === file);
    return entry ?? reasonOf("LIBRARY_MANIFEST_INVALID", `${manifest} says nothing about ${file}.`);
  } catch (thrown) {
    return reasonOf("LIBRARY_MANIFEST_INVALID", `${manifest} cannot be read: ${messageOf(thrown)}.`);
  }
}

function isEntry(value: unknown): value is ManifestEntry {
  const { file, sha256, abi } = (value ?? {}) as Partial<Record<keyof ManifestEntry, unknown>>;
  return typeof file === "string" && typeof sha256 === "string" && typeof abi === "number";
}
