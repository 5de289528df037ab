/** Libraries and machines for the tests of the selection. */
import type { Reason } from "@halfbyte/core";
import { type Capability, parseCapability } from "../src/capability.js";
import { type LibraryName, parseLibraryId } from "../src/library-name.js";
import { parseVersion, type RuntimeVersion } from "../src/runtime-version.js";
import type { HostRuntime, SelectableLibrary, SelectionFacts } from "../src/select-library.js";
import type { SystemFacts } from "../src/system-fit.js";

export const linux: SystemFacts = { platform: "linux", arch: "x64", libc: { kind: "glibc", version: "2.36" } };

export const versionOf = (text: string): RuntimeVersion => parseVersion(text)!;
export const nameOf = (id: string): LibraryName => parseLibraryId(id)!;
export const capabilities = (...texts: string[]): Capability[] => texts.map((text) => parseCapability(text)!);

const older = { sass: capabilities("50", "60", "61", "70", "75", "80", "90"), ptx: capabilities("90") };
const newer = {
  sass: capabilities("75", "80", "90", "100", "110", "120"),
  ptx: capabilities("120"),
};

/** A library as this project builds it: from CUDA 13 on without Pascal and Volta, and with Blackwell. */
export function library(id: string, changes: Partial<SelectableLibrary> = {}): SelectableLibrary {
  const name = nameOf(id);
  const code = name.version.major >= 13 ? newer : older;
  const made = { path: `/libs/libhalfbyte_${id}.so`, linkage: "static", platform: "linux", arch: "x64" } as const;
  return { ...name, ...made, ...code, glibc: "2.17", ...changes };
}

export const shipped = ["cuda118", "cuda124", "cuda130"].map((id) => library(id));

/** "12.4", or "12" where the framework tells the major only. */
export function host(text: string, framework = "framework"): HostRuntime {
  const [major, minor] = text.split(".").map(Number) as [number, number?];
  return minor === undefined ? { framework, major } : { framework, major, minor };
}

export interface Machine {
  readonly host?: string;
  readonly driver: string | Reason;
  readonly gpus?: readonly string[];
  readonly system?: SystemFacts;
}

export const machine = ({ host: asked, driver, gpus, system = linux }: Machine): SelectionFacts => ({
  system,
  driver: typeof driver === "string" ? versionOf(driver) : driver,
  ...(asked === undefined ? {} : { host: host(asked) }),
  ...(gpus === undefined ? {} : { gpus: capabilities(...gpus) }),
});
