/** A whole run: the machine, then every session, one after the other. */
import { fork } from "node:child_process";
import { join } from "node:path";
import type { Settings } from "./case.js";
import { floorLibrary } from "./floors/library.js";
import { measureMachineFloors } from "./floors/machine-floors.js";
import { judge, type MeasuredRow } from "./judge.js";
import { machineFacts, versions } from "./report/machine.js";
import type { Failure, Report } from "./report/row.js";
import type { Message, Work } from "./session.js";
import { keyOf, type Spec } from "./spec.js";

export interface RunOptions {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
  readonly progress: (line: string) => void;
}

export async function run({ specs, settings, progress }: RunOptions): Promise<Report> {
  const library = floorLibrary();
  const threads = [...new Set(specs.map((spec) => spec.threads))].sort((a, b) => a - b);
  if (typeof library === "string") progress(`no floors: ${library}`);
  const floors = typeof library === "string" ? null : await measureMachineFloors(library, threads, settings.rounds);
  const measured: MeasuredRow[] = [];
  const failures: Failure[] = [];
  for (const session of sessionsOf(specs))
    await runApart({ specs: session, settings }, (message) => {
      if (message.kind === "begin") progress(sayCase(message.spec));
      if (message.kind === "rows") measured.push(...message.rows.map((row) => ({ spec: message.spec, row })));
      if (message.kind === "failure") failures.push({ case: sayCase(message.spec), reason: message.reason });
    });
  const machine = { ...machineFacts(), floors, floorsMissing: typeof library === "string" ? library : null };
  return { machine, versions: await versions(), rows: judge(measured), failures };
}

/** Specs that can share a process. */
export function sessionsOf(specs: readonly Spec[]): Spec[][] {
  const sessions = new Map<string, Spec[]>();
  for (const spec of specs) {
    const key = `${spec.backend} ${spec.threads}`;
    sessions.set(key, [...(sessions.get(key) ?? []), spec]);
  }
  return [...sessions.values()];
}

/** In another process; one that dies takes the case it was at along, and those after it. */
function runApart(work: Work, report: (message: Message) => void): Promise<void> {
  const open = new Map(work.specs.map((spec) => [keyOf(spec), spec]));
  const child = fork(join(import.meta.dirname, "session-process.ts"), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  child.on("message", (message: Message) => {
    if (message.kind !== "begin") open.delete(keyOf(message.spec));
    report(message);
  });
  child.send(work);
  return new Promise((done) => {
    child.on("close", (code, signal) => {
      const reason = `the process of this session ended with ${signal ?? `exit code ${code}`}`;
      for (const spec of open.values()) report({ kind: "failure", spec, reason });
      done();
    });
  });
}

export function sayCase(spec: Spec): string {
  const { suite, shape, format, dtype, temperature, threads, backend } = spec;
  const size = shape.m === 0 ? "" : ` ${shape.m}x${shape.n}x${shape.k}`;
  return `${suite}: ${spec.case}${size} ${format ?? ""} ${dtype} ${temperature}, ${threads} thread${threads === 1 ? "" : "s"}, ${backend}`.replace(
    / +/g,
    " ",
  );
}
