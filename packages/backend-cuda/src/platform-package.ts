/** The package that brings prebuilt libraries for a platform, and what to do where there is none. */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type Runtime, runtimeNames } from "./runtime-version.js";

interface Platform {
  readonly platform: string;
  readonly arch: string;
}

/** The platforms for which libraries are built and published. */
const prebuilt: readonly string[] = ["linux-x64"];

export const platformPackage = ({ platform, arch }: Platform): string => `@halfbyte/backend-cuda-${platform}-${arch}`;

/** Why there is no library of any version. */
export function noLibrary(runtime: Runtime, { platform, arch }: Platform): Reason {
  const name = platformPackage({ platform, arch });
  const none = `No ${runtimeNames[runtime]} library is installed for ${platform} on ${arch}`;
  if (runtime === "cuda" && prebuilt.includes(`${platform}-${arch}`))
    return reasonOf("LIBRARY_NOT_FOUND", `${none}: the package ${name} is missing.`, `npm install ${name}`);
  return reasonOf("LIBRARY_NOT_FOUND", `${none}: no package brings one (${name} does not exist yet).`, buildRemedy);
}

const buildRemedy =
  "Build one where its toolkit is (`halfbyte libs build <version>`), or name its folder in HALFBYTE_LIBRARY_PATH.";
