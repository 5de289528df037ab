/** Other libraries that do the same. They are optional: one that is not installed is named as such and left out. */
import { createRequire } from "node:module";
import { halfbyteError } from "@halfbyte/core";

export const peerFamilies = ["onnxruntime-node", "tfjs", "gpu.js", "plain-js"] as const;
export type PeerFamily = (typeof peerFamilies)[number];

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
export const folderOf = (name: string): string => require.resolve(`${name}/package.json`).replace(/package\.json$/, "");

export const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version;
