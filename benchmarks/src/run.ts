/** A whole run: the machine, then every session, one after the other. */
import { fork } from "node:child_process";
import { extname, join } from "node:path";
import type { Settings } from "./case.js";
import type { CaseMessage } from "./cases.js";
import { cpuFloors } from "./floors/floor.js";
import { floorLibrary } from "./floors/library.js";
import { type MachineFloor, measureMachineFloors } from "./floors/machine-floors.js";
import { judge, type MeasuredRow } from "./judge.js";
import { machineFacts, versions } from "./report/machine.js";
import type { Adapter, Failure, Report } from "./report/row.js";
import type { Message, Work } from "./session.js";
import { keyOf, type Spec } from "./spec.js";

export interface RunOptions {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
  readonly progress: (line: string) => void;
}

export async function run({ specs, settings, progress }: RunOptions): Promise<Report> {
  const collected = new Collected(progress);
  let floors = await cpuFloorsOf(specs, settings, progress);
  let adapter: Adapter | undefined;
  for (const session of sessionsOf(specs)) {
    if (session[0]!.backend === "webgpu") progress(openingWebgpu);
    await runApart({ specs: session, settings }, (message) => {
      if (message.kind !== "adapter") return collected.take(message);
      adapter = message.adapter;
      floors = { floors: message.floors, floorsMissing: null };
    });
  }
  const machine = { ...machineFacts(), ...floors, ...(adapter && { adapter }) };
  return { machine, versions: await versions(), ...collected.report() };
}

/** On a software adapter that takes a while. */
export const openingWebgpu = "opening WebGPU: self-test, then the floors of the adapter";

/** Rows and failures as they come, from whatever measures. */
export class Collected {
  readonly #measured: MeasuredRow[] = [];
  readonly #failures: Failure[] = [];

  constructor(readonly progress: RunOptions["progress"]) {}

  take(message: CaseMessage): void {
    const { kind, spec } = message;
    if (kind === "begin") this.progress(sayCase(spec));
    if (kind === "rows") this.#measured.push(...message.rows.map((row) => ({ spec, row })));
    if (kind === "failure") this.#failures.push({ case: sayCase(spec), reason: message.reason });
  }

  report(): Pick<Report, "rows" | "failures"> {
    return { rows: judge(this.#measured), failures: this.#failures };
  }
}

/** For every number of threads; where only a GPU is measured, the session tells the adapter's own. */
async function cpuFloorsOf(
  specs: readonly Spec[],
  { rounds }: Settings,
  progress: RunOptions["progress"],
): Promise<Pick<Report["machine"], "floors" | "floorsMissing">> {
  const onCpu = specs.filter(({ backend }) => backend !== "webgpu");
  const threads = [...new Set(onCpu.map((spec) => spec.threads))].sort((a, b) => a - b);
  if (threads.length === 0) return { floors: null, floorsMissing: "the adapter was not opened" };
  const library = floorLibrary();
  if (typeof library === "string") {
    progress(`no floors: ${library}`);
    return { floors: null, floorsMissing: library };
  }
  const floors: MachineFloor[] = [];
  for (const count of threads) floors.push(...(await measureMachineFloors(cpuFloors(library, count), count, rounds)));
  return { floors, floorsMissing: null };
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
  // Bundled, both are .mjs.
  const script = join(import.meta.dirname, `session-process${extname(import.meta.filename)}`);
  const child = fork(script, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  child.on("message", (message: Message) => {
    if (message.kind === "rows" || message.kind === "failure") open.delete(keyOf(message.spec));
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
