/** Versioned libraries made for a test, with their manifest: some work, as far as a probe sees, others misbehave. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { abiVersion } from "../../native/src/abi.js";
import { compileLibrary, temporaryFolder, workingLibrary } from "../../native/test/stub.js";

export { noStubs } from "../../native/test/stub.js";

/** What a library says of itself. */
export const buildInfo = (id: string): string =>
  JSON.stringify({ backend: "cuda", version: "0.0.0", compiler: "stub", cuda: versionText(id), isa: id });

const versionText = (id: string): string => id.replace(/^cuda(\d\d)(\d+)$/, "$1.$2");

export const cudaLibrary = (id: string, quantize = ""): Promise<string> => workingLibrary(quantize, buildInfo(id));

/** A failure of CUDA in the middle of a kernel. */
export const failingWith = async (id: string, error: number): Promise<string> =>
  `${await cudaLibrary(id, "return HB_FAILED;")} int32_t hb_last_error(void) { return ${error}; }`;

export interface Installed {
  readonly id: string;
  /** C++, or the bytes of a file. */
  readonly body: string | Uint8Array;
  readonly flags?: readonly string[];
  /** Other fields of its entry in the manifest. */
  readonly entry?: object;
}

const entryOf = (id: string, file: string, bytes: Uint8Array) => ({
  file,
  sha256: createHash("sha256").update(bytes).digest("hex"),
  abi: abiVersion,
  backend: "cuda",
  runtime: "cuda",
  version: versionText(id),
  sass: ["8.0", "8.6", "9.0"],
  ptx: ["9.0"],
  linkage: "static",
  platform: process.platform,
  arch: process.arch,
  libc: "glibc",
  glibc: "2.17",
  needs: ["libc.so.6"],
});

/** A folder of libraries with a manifest. */
export function install(...libraries: readonly Installed[]): string {
  const folder = temporaryFolder();
  const entries = libraries.map(({ id, body, flags = [], entry }) => {
    const file = `libhalfbyte_${id}.so`;
    const path = join(folder, file);
    if (typeof body === "string") renameSync(compileLibrary(folder, body, ...flags), path);
    else writeFileSync(path, body);
    return { ...entryOf(id, file, readFileSync(path)), ...entry };
  });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ libraries: entries }));
  return folder;
}

/** Files with nothing in them, for what never loads one. */
export const installNames = (...ids: readonly string[]): string =>
  install(...ids.map((id) => ({ id, body: Buffer.from(id) })));
