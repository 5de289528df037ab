/** Building one CUDA library from source, by the package's own script, and keeping it in the user's store. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { halfbyteError } from "@halfbyte/core";
import { libraryFileOf } from "./library-name.js";
import type { LibraryStore, StoredBuild } from "./library-store.js";
import { digitsOf, formatVersion, parseVersion, type RuntimeVersion, versionOfDigits } from "./runtime-version.js";

/** The folder of this package: this file lies one level below it, as source and as build. */
const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

export interface BuildOptions {
  /** The folder of the toolkit; else the script looks for one. */
  readonly toolkit?: string;
  /** Fetch a toolkit that is missing; NVIDIA's licence must have been accepted. */
  readonly fetch?: boolean;
  readonly acceptNvidiaEula?: boolean;
  readonly signal?: AbortSignal;
  /** The folder with scripts/ and native/; this package's unless told otherwise. */
  readonly sources?: string;
}

/** "12.4", "124" or "cuda124". Throws INVALID_ARGUMENT. */
export function requestedVersion(text: string): RuntimeVersion {
  const version = /^\d+\.\d+$/.test(text) ? parseVersion(text) : versionOfDigits("cuda", text.replace(/^cuda/, ""));
  if (version) return version;
  throw halfbyteError("INVALID_ARGUMENT", `"${text}" is no CUDA version.`, { remedy: "Write it as 12.4, or as 124." });
}

/** What the script says goes to stderr. Throws LIBRARY_SOURCES_MISSING, LIBRARY_BUILD_FAILED or ABORTED. */
export async function buildIntoStore(
  store: LibraryStore,
  version: RuntimeVersion,
  options: BuildOptions = {},
): Promise<StoredBuild> {
  const script = buildScript(options.sources ?? packageFolder, version);
  const output = await mkdtemp(join(tmpdir(), "halfbyte-build-"));
  try {
    await runBuild([script, ...argumentsOf(version, output, options)], version, options.signal);
    return await store.add(join(output, libraryFileOf({ runtime: "cuda", version })));
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** Required: a toolkit that is not found is a failure. */
function argumentsOf(
  version: RuntimeVersion,
  output: string,
  { toolkit, fetch, acceptNvidiaEula }: BuildOptions,
): string[] {
  return [
    ...["--require", digitsOf(version), "--output", output],
    ...(toolkit === undefined ? [] : ["--toolkit", toolkit]),
    ...(fetch ? ["--fetch"] : []),
    ...(acceptNvidiaEula ? ["--accept-nvidia-eula"] : []),
  ];
}

function buildScript(sources: string, version: RuntimeVersion): string {
  const script = join(sources, "scripts", "build-cuda.mjs");
  if (existsSync(script) && existsSync(join(sources, "native"))) return script;
  throw halfbyteError("LIBRARY_SOURCES_MISSING", `${sources} does not hold the sources of the CUDA kernels.`, {
    remedy: `In a clone of the repository run \`pnpm halfbyte libs build ${formatVersion(version)}\`: your store is the same for every project.`,
  });
}

function runBuild(args: readonly string[], version: RuntimeVersion, signal: AbortSignal | undefined): Promise<void> {
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", 2, 2],
    windowsHide: true,
    ...(signal && { signal }),
  });
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => reject(signal?.aborted ? aborted(cause) : failed(version, cause)));
    child.on("close", (code) => (code === 0 ? resolve() : reject(failed(version))));
  });
}

const aborted = (cause: unknown) => halfbyteError("ABORTED", "The build was interrupted.", { cause });

const failed = (version: RuntimeVersion, cause?: unknown) =>
  halfbyteError("LIBRARY_BUILD_FAILED", `The library for CUDA ${formatVersion(version)} was not built.`, { cause });
