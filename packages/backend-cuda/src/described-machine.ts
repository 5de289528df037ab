/** What was found out about a machine, as doctor tells it: versions are texts, and what is absent is null. */
import type { Source } from "@halfbyte/core";
import type { Diagnosis, ExaminedSource } from "./diagnosis.js";
import { libraryId } from "./library-name.js";
import type { Examination, MachineFacts } from "./machine-facts.js";
import { type Environment, isRefused, type Override } from "./override.js";
import { formatVersion, type RuntimeVersion } from "./runtime-version.js";
import { isVersion } from "./selection.js";

type Described = Pick<
  Diagnosis,
  "system" | "versions" | "override" | "sources" | "devices" | "frameworks" | "toolkits" | "runtimes"
>;

export function describeMachine(
  { facts, sources }: Examination,
  override: Override | undefined,
  env: Environment,
): Described {
  return {
    system: systemOf(facts),
    versions: versionsOf(facts),
    override: override ? overrideOf(override) : null,
    sources: [...overrideSources(override, env), ...sources.map(sourceOf)],
    devices: devicesOf(facts),
    frameworks: facts.frameworks.map(({ cuda, ...framework }) => ({ ...framework, cuda: versionText(cuda) })),
    toolkits: facts.toolkits.map(({ path, version }) => ({ path, version: versionText(version) })),
    runtimes: runtimesOf(facts),
  };
}

type Partly = Partial<RuntimeVersion> & { readonly major: number };

/** 12 where the minor is not known. */
function versionText(version: Partly | undefined): string | null {
  if (!version) return null;
  return version.minor === undefined ? String(version.major) : `${version.major}.${version.minor}`;
}

function systemOf({ system: { platform, arch, kind, libc, node } }: MachineFacts): Described["system"] {
  return { platform, arch, kind, libc: [libc.kind, libc.version].filter(Boolean).join(" "), node };
}

const versionsOf = ({ driver, kernelDriver, host, containerCuda }: MachineFacts): Described["versions"] => ({
  driver: isVersion(driver) ? formatVersion(driver) : null,
  kernelDriver: kernelDriver ?? null,
  host: versionText(host),
  container: versionText(containerCuda),
});

const overrideOf = ({ variable, value, asks, ignored }: Override): Described["override"] => ({
  variable,
  value,
  library: isRefused(asks) ? null : libraryId(asks),
  ignored: ignored ?? null,
});

/** What the user wants stands before everything that was found. */
function overrideSources(override: Override | undefined, env: Environment): ExaminedSource[] {
  if (!override) return [];
  const { variable, value, asks, ignored } = override;
  const used = isRefused(asks)
    ? { ignoredBecause: "it is no version in digits" }
    : { usedFor: `${libraryId(asks)} and no other` };
  const sources = [sourceOf({ name: variable, value, ms: 0, ...used })];
  if (ignored === undefined) return sources;
  return [
    ...sources,
    sourceOf({ name: ignored, value: env[ignored] ?? "", ms: 0, ignoredBecause: `${variable} goes before it` }),
  ];
}

const sourceOf = ({ name, value, usedFor, ignoredBecause, ms, error }: Source): ExaminedSource => ({
  name,
  value,
  usedFor: usedFor ?? null,
  ignoredBecause: ignoredBecause ?? null,
  ms: Math.round(10 * ms) / 10,
  error: error ?? null,
});

const devicesOf = ({ gpus = [] }: MachineFacts): Described["devices"] =>
  gpus.map(({ id, name, capability, memoryBytes }) => ({
    id,
    name,
    capability: formatVersion(capability),
    memoryBytes: memoryBytes ?? null,
  }));

/** More than one version of libcudart: what is linked dynamically gets the one that is found first. */
function runtimesOf({ runtimes }: MachineFacts): Described["runtimes"] {
  const files = runtimes.map(({ path, version, loaded }) => ({ path, version: versionText(version), loaded }));
  return { files, duplicate: new Set(files.map(({ version }) => version)).size > 1 };
}
