/** Is this library one of ours, for this package and this backend? By what it says about itself. */
import type { Reason } from "@halfbyte/core";
import { abiVersion } from "./abi.js";
import { type BuildInfo, parseBuildInfo } from "./build-info.js";
import { reasonOf } from "./reason.js";

/** What hb_abi_version and hb_build_info return. */
export interface Identity {
  readonly version: number;
  readonly info: string;
}

export function identify(path: string, backend: string, { version, info }: Identity): BuildInfo | Reason {
  if (version !== abiVersion)
    return reasonOf("LIBRARY_ABI_MISMATCH", `${path} has ABI version ${version}; this package needs ${abiVersion}.`);
  const build = parseBuildInfo(info);
  if (!build) return reasonOf("LIBRARY_WRONG_KIND", `The build info of ${path} cannot be read.`);
  return build.backend === backend ? build : wrongBackend(path, build.backend, backend);
}

export const wrongBackend = (path: string, found: string, expected: string): Reason =>
  reasonOf("LIBRARY_WRONG_KIND", `${path} is a library of backend "${found}", not of "${expected}".`);
