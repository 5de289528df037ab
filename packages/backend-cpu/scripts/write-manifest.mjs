/**
 * manifest.json beside a native library: its file, its SHA-256 and what it says of itself. The loader wants the hash to match before
 * it touches the library; the rest is for people and for choosing among libraries without loading them. Plain Node.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { glibcFloor } from "../../../scripts/elf.mjs";

const manifestOf = (library) => join(dirname(library), "manifest.json");

const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

/**
 * @param {string} library
 * @param {{ platform: string, arch: string }} machine what it runs on
 * @param {{ abi: number, backend: string, version: string, compiler: string, isas: string[] }} info its build info
 */
export function writeManifest(library, { platform, arch }, { abi, backend, version, compiler, isas }) {
  const glibc = glibcFloor(readFileSync(library));
  const file = basename(library);
  const entry = { file, sha256: sha256(library), abi, backend, version, platform, arch, glibc, isas, compiler };
  writeFileSync(manifestOf(library), `${JSON.stringify({ libraries: [entry] }, null, 2)}\n`);
}

/** Whether the manifest is of this library as it is now. @param {string} library */
export function hasManifest(library) {
  const manifest = manifestOf(library);
  if (!existsSync(manifest)) return false;
  const { libraries } = JSON.parse(readFileSync(manifest, "utf8"));
  return libraries.some(({ file, sha256: stated }) => file === basename(library) && stated === sha256(library));
}
