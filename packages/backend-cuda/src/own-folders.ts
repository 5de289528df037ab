/** The folders of this package that hold libraries: what was built here, then what npm installed for this platform. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { platformPackage } from "./platform-package.js";

/** The folder of this package: this file lies one level below it, as source and as build. */
const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

export function ownFolders(): string[] {
  const installed = installedFolder();
  return [join(packageFolder, "build"), ...(installed === undefined ? [] : [installed])];
}

/** Undefined where npm did not install one: what that means is said when no library is found. */
function installedFolder(): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  try {
    return dirname(resolve(`${platformPackage(process)}/package.json`));
  } catch {
    return undefined;
  }
}
