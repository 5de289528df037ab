/**
 * The user's store of native libraries: builds that are kept, and which of them are in use. A build is a folder that never changes once
 * it is there, with its manifest, as any folder of libraries. Which are in use is told by generations: numbered folders that never
 * change either, the highest counts. Here the store is read, quickly and without waiting, for whoever loads libraries.
 *
 *   builds/cuda124-1a2b3c4d5e6f/libhalfbyte_cuda124.so, manifest.json
 *   generations/00000007/in-use.json   { "builds": ["cuda124-1a2b3c4d5e6f"], "before": 6 }
 */
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { logOnce, messageOf, type Reason } from "@halfbyte/core";
import { reasonOf } from "./reason.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Libraries that the user keeps for all projects. */
export function userStore(env: Environment = process.env): string {
  const base = env["XDG_DATA_HOME"] || env["LOCALAPPDATA"] || join(homedir(), ".local", "share");
  return join(base, "halfbyte", "libraries");
}

export interface Generation {
  /** 0: nothing was ever put in use. */
  readonly number: number;
  readonly builds: readonly string[];
  /** The generation that a rollback leads to; null: there is none. */
  readonly before: number | null;
}

export const nothingInUse: Generation = { number: 0, builds: [], before: null };

export const buildsFolder = (store: string): string => join(store, "builds");
export const generationsFolder = (store: string): string => join(store, "generations");
export const generationFolder = (store: string, number: number): string =>
  join(generationsFolder(store), String(number).padStart(8, "0"));
export const recordFile = "in-use.json";

/** Library and the first digits of its SHA-256. Nothing else is taken from a record: names become paths. */
const buildName = /^(?:cuda|rocm)\d+-[0-9a-f]{12}$/;

export const isBuildName = (value: unknown): value is string => typeof value === "string" && buildName.test(value);

/** Numbers of all generations, the newest first. */
export function generationNumbers(store: string): number[] {
  return namesIn(generationsFolder(store))
    .filter((name) => /^\d{8}$/.test(name))
    .map(Number)
    .sort((a, b) => b - a);
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Before its first use there is no store.
    return [];
  }
}

/** What is in use, or why that cannot be told. */
export function currentGeneration(store: string): Generation | Reason {
  const [newest] = generationNumbers(store);
  return newest === undefined ? nothingInUse : readGeneration(store, newest);
}

export function readGeneration(store: string, number: number): Generation | Reason {
  if (number === 0) return nothingInUse;
  const path = join(generationFolder(store, number), recordFile);
  try {
    const record: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (isRecord(record, number)) return { number, builds: record.builds, before: record.before };
    return damaged(path, "it is no record of builds");
  } catch (thrown) {
    return damaged(path, messageOf(thrown));
  }
}

const damaged = (path: string, why: string): Reason =>
  reasonOf("STORE_DAMAGED", `The store's record ${path} cannot be used: ${why}.`);

function isRecord(value: unknown, number: number): value is Pick<Generation, "builds" | "before"> {
  const { builds, before } = (value ?? {}) as Partial<Record<"builds" | "before", unknown>>;
  const isEarlier =
    before === null || (typeof before === "number" && Number.isSafeInteger(before) && before >= 0 && before < number);
  return isEarlier && Array.isArray(builds) && builds.every(isBuildName);
}

export const isGeneration = (value: Generation | Reason): value is Generation => "number" in value;

/** Folders of the builds in use. A damaged store has none, which is said: nothing is guessed about what to load. */
export function foldersInUse(store: string): string[] {
  const current = currentGeneration(store);
  if (isGeneration(current)) return current.builds.map((build) => join(buildsFolder(store), build));
  logOnce("warn", `${current.message} ${current.remedy}`);
  return [];
}
