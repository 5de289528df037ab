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
export interface ManifestEntry {
  readonly file: string;
  readonly sha256: string;
  readonly abi: number;
  readonly [more: string]: unknown;
}

/** Why the manifest speaks against a library with this hash. A folder may lack it where the user vouches for what is in it. */
export function manifestRefusal(path: string, sha256: string, required: boolean): Reason | undefined {
  if (!existsSync(manifestOf(path)) && !required) return undefined;
  const { entry, refusal } = manifestEntry(path);
  if (!entry) return refusal;
  if (entry.sha256 !== sha256)
    return reasonOf("LIBRARY_CHANGED", `${path} has another SHA-256 than its manifest says.`);
  return abiRefusal(path, entry);
}

export function abiRefusal(path: string, { abi }: ManifestEntry): Reason | undefined {
  if (abi === abiVersion) return undefined;
  return reasonOf("LIBRARY_ABI_MISMATCH", `${path} has ABI version ${abi}; this package needs ${abiVersion}.`);
}

type Lookup =
  | { readonly entry: ManifestEntry; readonly refusal?: never }
  | { readonly entry?: never; readonly refusal: Reason };

/** What the manifest beside a library says about it. */
export function manifestEntry(path: string): Lookup {
  const [manifest, file] = [manifestOf(path), basename(path)];
  try {
    const { libraries } = JSON.parse(readFileSync(manifest, "utf8")) as { libraries: readonly unknown[] };
    const entry = libraries.filter(isEntry).find((entry) => entry.file === file);
    return entry ? { entry } : invalid(`${manifest} says nothing about ${file}.`);
  } catch (thrown) {
    return invalid(`${manifest} cannot be read: ${messageOf(thrown)}.`);
  }
}

const invalid = (message: string): Lookup => ({ refusal: reasonOf("LIBRARY_MANIFEST_INVALID", message) });

const manifestOf = (path: string): string => join(dirname(path), "manifest.json");

function isEntry(value: unknown): value is ManifestEntry {
  const { file, sha256, abi } = (value ?? {}) as Partial<Record<"file" | "sha256" | "abi", unknown>>;
  return typeof file === "string" && typeof sha256 === "string" && typeof abi === "number";
}
