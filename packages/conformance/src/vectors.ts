/**
 * Golden vectors made by Python bitsandbytes, judged on any backend exactly as the contract says. This entry needs neither
 * vitest nor fast-check: `halfbyte selftest` uses it.
 */
import { type Backend, halfbyteError } from "@halfbyte/core";
import { findVectors } from "./golden/find.js";
import type { VectorFiles } from "./golden/vector-files.js";
import type { JudgedProfile } from "./judge/trial.js";
import { Session } from "./session.js";
import { type CaseResult, type Summary, summarize } from "./summary.js";

export type { VectorFiles } from "./golden/vector-files.js";
export type { Shown } from "./judge/compare.js";
export type { JudgedProfile } from "./judge/trial.js";
export type { CaseResult, FirstFailure, OperationTally, Summary, Tally } from "./summary.js";

export interface RunVectorsOptions {
  /** A folder in the golden format, or any folder above or below it; in a browser, where its files come from. */
  readonly folder: string | VectorFiles;
  /** `cpu` on the reference backend, which alone has it; `reference` on every other. */
  readonly profile?: JudgedProfile;
  /** Called after every case, checkpoints last. */
  readonly onCase?: (result: CaseResult, progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

/** Judges every case and checkpoint below the folder. Rejects with VECTORS_NOT_FOUND when there is none. */
export async function runVectors(backend: Backend, options: RunVectorsOptions): Promise<Summary> {
  const profile = options.profile ?? (backend.name === "reference" ? "cpu" : "reference");
  checkProfile(backend, profile);
  const source = await filesOf(options.folder);
  const vectors = await findVectors(source);
  const total = vectors.files.reduce((sum, { sideCar }) => sum + sideCar.cases.length, vectors.checkpoints.length);
  const session = new Session(backend, profile, source);
  try {
    const results: CaseResult[] = [];
    for await (const result of resultsOf(session, vectors)) {
      if (options.signal?.aborted) throw halfbyteError("ABORTED", "The self-test was aborted.");
      results.push(result);
      options.onCase?.(result, { done: results.length, total });
    }
    return summarize(backend, profile, results);
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

async function filesOf(folder: string | VectorFiles): Promise<VectorFiles> {
  return typeof folder === "string" ? (await import("./golden/folder.js")).folderFiles(folder) : folder;
}

async function* resultsOf(session: Session, { files, checkpoints }: Awaited<ReturnType<typeof findVectors>>) {
  for (const file of files) yield* session.casesOf(file);
  for (const checkpoint of checkpoints) yield await session.checkpoint(checkpoint);
}

function checkProfile({ name }: Backend, profile: JudgedProfile): void {
  if (profile === "reference" || (profile === "cpu" && name === "reference")) return;
  throw halfbyteError(
    "UNSUPPORTED_KERNEL",
    `Vectors cannot be judged under profile "${profile}" on backend "${name}".`,
    {
      remedy: 'Profile "cpu" exists on the reference backend only; every backend has "reference".',
    },
  );
}
