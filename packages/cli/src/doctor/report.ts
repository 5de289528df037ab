/** What doctor prints for people: one section for each question, 100 columns wide, without colours. */
import type { Diagnosis } from "@halfbyte/backend-cuda";
import { type Detection, version } from "@halfbyte/core";
import { bytes } from "../print.js";
import { tableLines, wrapped } from "../text-table.js";
import { type CpuReport, cpuReport } from "./cpu.js";

export interface DoctorReport extends Diagnosis {
  /** Of halfbyte. */
  readonly version: string;
  readonly cpu: CpuReport;
}

export function doctorReport(diagnosis: Diagnosis, detection: Detection): DoctorReport {
  const cpu = cpuReport(detection);
  const { fallback } = diagnosis;
  const runs = { backend: cpu.available ? "cpu" : "reference" };
  return { version, ...diagnosis, fallback: fallback && { ...fallback, ...runs }, cpu };
}

const width = 100;
const none = "–";

export function reportLines(report: DoctorReport): string[] {
  const sections = [
    section("System", system(report)),
    section("Sources", sources(report)),
    section("GPUs", devices(report)),
    section("Frameworks and their CUDA", frameworks(report)),
    section("Libraries", candidates(report)),
    section("What is here, and what each library is to it", matrix(report)),
    section("CUDA runtimes", runtimes(report)),
    section("Toolkits", toolkits(report)),
    section("Shared libraries they need", dependencies(report)),
    section("Probe", probe(report)),
    section("CPU backend", cpu(report)),
    section("What to do", advice(report)),
  ];
  return [...headline(report), ...sections.flat()];
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", title, ...lines];

const paragraph = (text: string): string[] => wrapped(text, width - 2).map((line) => `  ${line}`);

function headline(report: DoctorReport): string[] {
  const { version, status, code, message, askedBy } = report;
  const asked = askedBy === null ? [] : paragraph(`CUDA is asked for: ${askedBy}.`);
  return [`halfbyte ${version}: ${status} (${code}), ${whatRuns(report)}`, ...paragraph(message), ...asked];
}

/** Commands do not pass over a wrong override. */
function whatRuns({ status, chosen, fallback }: DoctorReport): string {
  if (status === "override-invalid") return "nothing runs before it is right";
  return chosen ? `runs on ${chosen.library}` : `falls to ${fallback!.backend}`;
}

function system({ system, versions }: DoctorReport): string[] {
  const { driver, kernelDriver, host, container } = versions;
  return tableLines([
    ["platform", `${system.platform} ${system.arch}, ${system.kind}`],
    ["C library", system.libc],
    ["Node", system.node],
    [
      "driver",
      driver === null ? none : `CUDA ${driver}${kernelDriver === null ? "" : `, kernel driver ${kernelDriver}`}`,
    ],
    ...(driver === null && kernelDriver !== null ? [["kernel driver", kernelDriver]] : []),
    ...(host === null ? [] : [["framework", `CUDA ${host}`]]),
    ...(container === null ? [] : [["image", `CUDA ${container}`]]),
  ]);
}

function sources({ sources }: DoctorReport): string[] {
  const rows = sources.map(({ name, value, usedFor, ignoredBecause, ms, error }) => [
    name,
    value ?? none,
    ms.toFixed(1),
    error ?? (usedFor === null ? (ignoredBecause === null ? none : `ignored: ${ignoredBecause}`) : `used: ${usedFor}`),
  ]);
  return tableLines(rows, { head: ["source", "says", "ms", "used for, or ignored because"] });
}

const devices = ({ devices }: DoctorReport): string[] =>
  devices.length === 0
    ? paragraph("none seen")
    : tableLines(
        devices.map(({ id, name, capability, memoryBytes }) => [
          name,
          capability,
          memoryBytes === null ? none : bytes(memoryBytes),
          id,
        ]),
        { head: ["name", "capability", "memory", "id"] },
      );

const frameworks = ({ frameworks }: DoctorReport): string[] =>
  frameworks.length === 0
    ? paragraph("none found in the application")
    : tableLines(
        frameworks.map(({ name, version, cuda, loaded, toldBy }) => [
          `${name} ${version}`,
          cuda ?? none,
          loaded ? "loaded" : "installed",
          toldBy,
        ]),
        { head: ["framework", "CUDA", "state", "told by"] },
      );

function candidates({ candidates, chosen, override, message }: DoctorReport): string[] {
  if (candidates.length === 0) return paragraph("none installed");
  const rows = candidates.map(({ library, path, verdict, code, reason }) => [
    path === chosen?.path ? ">" : "",
    library,
    verdict,
    code,
    `${reason === message ? "as said above" : reason}\n${path}`,
  ]);
  const asked = override?.library
    ? paragraph(`${override.variable}=${override.value}: no other than ${override.library}.`)
    : [];
  return [...tableLines(rows, { head: ["", "library", "verdict", "code", "why, and where"] }), ...asked];
}

/** As many columns as fit. */
const columns = 4;

function matrix({ matrix: { libraries, rows } }: DoctorReport): string[] {
  const starts = Array.from({ length: Math.ceil(libraries.length / columns) }, (_, i) => i * columns);
  return starts.flatMap((start) =>
    tableLines(
      rows.map(({ what, fits }) => [what, ...fits.slice(start, start + columns)]),
      { head: ["", ...libraries.slice(start, start + columns)], limit: 44 },
    ),
  );
}

function runtimes({ runtimes: { files, duplicate } }: DoctorReport): string[] {
  if (files.length === 0) return [];
  const rows = files.map(({ path, version, loaded }) => [version ?? none, loaded ? "loaded" : "on disk", path]);
  const note =
    "Several versions: what is linked dynamically gets the one that is found first. Libraries of halfbyte bring their own.";
  return [...tableLines(rows), ...(duplicate ? paragraph(note) : [])];
}

const toolkits = ({ toolkits }: DoctorReport): string[] =>
  toolkits.length === 0 ? [] : tableLines(toolkits.map(({ version, path }) => [version ?? none, path]));

/** Libraries share most of what they need: one line for each name and place. */
function dependencies({ dependencies }: DoctorReport): string[] {
  const users = new Map<string, string[]>();
  for (const { library, needs } of dependencies)
    for (const { name, path } of needs) {
      const key = `${name}\n${path ?? "MISSING"}`;
      users.set(key, [...(users.get(key) ?? []), library]);
    }
  const read = dependencies.filter(({ error }) => error === null).length;
  const rows = [...users].map(([key, libraries]) => [
    ...key.split("\n"),
    libraries.length === read ? "all" : libraries.join(", "),
  ]);
  const errors = dependencies.flatMap(({ library, error }) =>
    error === null ? [] : paragraph(`${library}: ${error}`),
  );
  return [...tableLines(rows, { limit: 56 }), ...errors];
}

function probe({ probe: { tried, notRunBecause } }: DoctorReport): string[] {
  if (notRunBecause !== null) return paragraph(`Not run. ${notRunBecause}`);
  return tableLines(
    tried.map(({ library, passed, ms, code, reason }) => [
      library,
      passed ? "passed" : "failed",
      `${ms} ms`,
      passed ? "" : `${reason} (${code})`,
    ]),
  );
}

function cpu({ cpu: { tier, library, device, refused, settings } }: DoctorReport): string[] {
  return tableLines([
    ["runs", tier === null ? "no, for the reasons below; the reference kernels remain" : `${tier}, ${library}`],
    ...(device === null ? [] : [["on", device]]),
    ...settings.map(({ name, value, ignoredBecause }) => [
      name,
      ignoredBecause === null ? value : `${value}, ignored: ${ignoredBecause}`,
    ]),
    ...refused
      // Most places hold no library, which matters where none does.
      .filter(({ code }) => tier === null || code !== "LIBRARY_NOT_FOUND")
      .map(({ code, reason }) => ["not used", `${reason} (${code})`]),
  ]);
}

const advice = ({ remedy, command }: DoctorReport): string[] => [
  ...paragraph(remedy),
  ...(command === null ? [] : ["", `    ${command}`]),
];
