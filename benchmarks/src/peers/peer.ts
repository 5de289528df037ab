/** Other libraries that do the same. They are optional: one that is not installed is named as such and left out. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { halfbyteError } from "@halfbyte/core";

const require = createRequire(import.meta.url);

/** A module of an optional package. Throws PACKAGE_NOT_INSTALLED. */
export async function importPeer<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw halfbyteError("PACKAGE_NOT_INSTALLED", `${name} is not installed.`, { cause, remedy: "pnpm install" });
  }
}

/** The folder of an installed package. */
export const folderOf = (name: string): string => `${dirname(manifestOf(name))}${sep}`;

export const versionOf = (name: string): string => (require(manifestOf(name)) as { version: string }).version;

/** Not every package exports its package.json: it lies at the root of the folder that module names are looked for in. */
function manifestOf(name: string): string {
  const found = (require.resolve.paths(name) ?? [])
    .map((folder) => join(folder, name, "package.json"))
    .find((file) => existsSync(file));
  if (found) return found;
  throw halfbyteError("PACKAGE_NOT_INSTALLED", `${name} is not installed.`, { remedy: "pnpm install" });
}
