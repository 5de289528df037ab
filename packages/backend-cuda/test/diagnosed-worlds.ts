/** The recorded machines with the libraries of this project on them, and diagnoses that take no time. */
import type { Reason } from "@halfbyte/core";
import { choose } from "../src/choose.js";
import { type DiagnoseOptions, diagnoseWith } from "../src/diagnose.js";
import type { Diagnosis } from "../src/diagnosis.js";
import { examine } from "../src/examine.js";
import type { Instruments } from "../src/instruments.js";
import type { SelectableLibrary } from "../src/selection.js";
import type { World } from "../src/world.js";
import { library } from "./libraries.js";
import { elfFile } from "./worlds/elf-file.js";
import { type Recording, recordedWorld, recordings } from "./worlds/index.js";

export const worldNames = Object.keys(recordings);

const folder = "/srv/app/node_modules/@halfbyte/backend-cuda-linux-x64";

export const installed = ["cuda118", "cuda124", "cuda130"].map((id) =>
  library(id, { path: `${folder}/libhalfbyte_${id}.so` }),
);

const needs = ["libpthread.so.0", "libdl.so.2", "libstdc++.so.6", "libc.so.6"];

/** The libraries, and what every Linux has for them. */
const files: Recording["files"] = {
  ...Object.fromEntries(installed.map(({ path }) => [path, elfFile({ needed: needs })])),
  ...Object.fromEntries(needs.map((name) => [`/usr/lib64/${name}`, elfFile({ needed: [], soname: name })])),
  "/etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nID=ubuntu\nID_LIKE=debian\n',
};

export interface Staging {
  readonly env?: World["env"];
  readonly libraries?: readonly SelectableLibrary[];
  /** Why a library fails its probe, by its id. */
  readonly fails?: Readonly<Record<string, Reason>>;
  readonly options?: DiagnoseOptions;
}

export const stagedWorld = (name: string, env: World["env"] = {}): World => {
  const recording = recordings[name]!;
  return recordedWorld(
    { ...recording, files: { ...recording.files, ...files } },
    { env: { ...recording.env, ...env } },
  );
};

export const instrumentsOf = ({ libraries = installed, fails = {} }: Staging): Instruments => ({
  examine,
  findLibraries: async () => libraries,
  choose,
  probeLibrary: async ({ path }) => Object.entries(fails).find(([id]) => path.includes(`_${id}.`))?.[1],
});

/** Times differ from run to run. */
export async function diagnosisOf(name: string, staging: Staging = {}): Promise<Diagnosis> {
  const diagnosis = await diagnoseWith(instrumentsOf(staging), stagedWorld(name, staging.env), staging.options);
  return {
    ...diagnosis,
    sources: diagnosis.sources.map((source) => ({ ...source, ms: 0 })),
    probe: { ...diagnosis.probe, tried: diagnosis.probe.tried.map((tried) => ({ ...tried, ms: 0 })) },
  };
}
