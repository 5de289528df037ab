/** A library out of its entry in manifest.json: what `pnpm build:cuda` wrote about it, checked word by word. */
import type { Reason } from "@halfbyte/core";
import { type ListedLibrary, type ManifestEntry, reasonOf } from "@halfbyte/native";
import { type Capability, parseCapability } from "./capability.js";
import { type LibraryName, libraryId } from "./library-name.js";
import { formatVersion } from "./runtime-version.js";
import type { SelectableLibrary } from "./selection.js";

/** For what nothing usable is known of. */
interface Here {
  readonly platform: string;
  readonly arch: string;
}

/** One whose manifest cannot be used is a candidate too, refused with its reason. */
export function describedLibrary(
  { path, entry, refusal }: ListedLibrary,
  name: LibraryName,
  here: Here,
): SelectableLibrary {
  const described = entry && contentsOf(entry, name);
  if (typeof described === "object") return { ...name, path, ...described, ...(refusal && { refusal }) };
  const unknown = { sass: [], ptx: [], linkage: "static", platform: here.platform, arch: here.arch } as const;
  return { ...name, path, ...unknown, refusal: refusal ?? unusable(path, described ?? "") };
}

const unusable = (path: string, what: string): Reason =>
  reasonOf("LIBRARY_MANIFEST_INVALID", `The manifest beside ${path} does not describe it: ${what}.`);

type Contents = Omit<SelectableLibrary, keyof LibraryName | "path" | "refusal">;

/** What an entry says, or what is wrong with it. */
function contentsOf(entry: ManifestEntry, name: LibraryName): Contents | string {
  const { runtime, version, linkage, platform, arch, glibc, needs, sha256 } = entry;
  if (runtime !== name.runtime) return `runtime is ${shown(runtime)}, and the name says ${libraryId(name)}`;
  if (version !== formatVersion(name.version))
    return `version is ${shown(version)}, and the name says ${libraryId(name)}`;
  const [sass, ptx] = [capabilitiesOf(entry["sass"]), capabilitiesOf(entry["ptx"])];
  if (!sass || !ptx) return `${sass ? "ptx" : "sass"} is no list of capabilities such as "8.6"`;
  if (linkage !== "static" && linkage !== "dynamic") return `linkage is ${shown(linkage)}`;
  if (typeof platform !== "string" || typeof arch !== "string") return "platform or arch is missing";
  if (!isOptional(glibc, isVersionText)) return `glibc is ${shown(glibc)}`;
  if (!isOptional(needs, isTexts)) return `needs is ${shown(needs)}`;
  return {
    sha256,
    sass,
    ptx,
    linkage,
    platform,
    arch,
    ...(glibc != null && { glibc }),
    ...(needs != null && { needs }),
  };
}

const shown = (value: unknown): string => JSON.stringify(value) ?? "missing";

function capabilitiesOf(value: unknown): Capability[] | undefined {
  if (!isTexts(value)) return undefined;
  const capabilities = value.map(parseCapability);
  return capabilities.every((one) => one !== undefined) ? capabilities : undefined;
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

const isVersionText = (value: unknown): value is string => typeof value === "string" && /^\d+\.\d+$/.test(value);

const isOptional = <T>(value: unknown, is: (value: unknown) => value is T): value is T | null | undefined =>
  value == null || is(value);
