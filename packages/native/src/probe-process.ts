/** Starting probe-child.cjs, and what became of it. Never throws: why it could not be started is an ending too. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { halfbyteError, messageOf } from "@halfbyte/core";
import type { ProbeReport } from "./probe.js";

const script = fileURLToPath(new URL("./probe-child.cjs", import.meta.url));

/** Set in the child: a program that is not Node would start itself again there, and must not go on for ever. */
const childMark = "HALFBYTE_PROBE_CHILD";

export interface ProbeRun {
  readonly report: ProbeReport;
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** The last line it wrote there. */
  readonly stderr: string;
}

/** Why no process can be started here. */
export function probeObstacle(): string | undefined {
  if (process.env[childMark]) return "this program was itself started to try a library: it is not Node.";
  if (isSingleFile()) return "this program is a single-file build, which cannot run another script.";
  return existsSync(script) ? undefined : `${script} does not exist: the package was bundled into another file.`;
}

/** Made by Node itself, or by pkg. Other runtimes need not know node:sea. */
const isSingleFile = (): boolean => process.getBuiltinModule?.("node:sea")?.isSea() === true || "pkg" in process;

export function runProbe(request: unknown, limitMs: number, signal?: AbortSignal): Promise<ProbeRun> {
  return new Promise((resolve, reject) => {
    const child = start(request);
    const end = watch(child, limitMs, signal);
    const [said, stderr] = [collected(child.stdio[3]), collected(child.stderr)];
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code, killedBy) => {
      const timedOut = end();
      if (signal?.aborted) return reject(halfbyteError("ABORTED", "Trying a library was aborted."));
      resolve({ report: reportOf(said()), code, signal: killedBy, timedOut, stderr: lastLine(stderr()) });
    });
  });
}

/** Electron's own program acts as Node when asked to. */
function start(request: unknown): ChildProcess {
  const asNode = process.versions["electron"] === undefined ? {} : { ELECTRON_RUN_AS_NODE: "1" };
  return spawn(process.execPath, [script, JSON.stringify(request)], {
    env: { ...process.env, ...asNode, [childMark]: "1" },
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    windowsHide: true,
  });
}

/** Ends the child when its time is up, the caller gives up or this process ends. The result stops it and tells of the time. */
function watch(child: ChildProcess, limitMs: number, signal: AbortSignal | undefined): () => boolean {
  let timedOut = false;
  const kill = () => child.kill("SIGKILL");
  const timer = setTimeout(() => {
    timedOut = kill();
  }, limitMs);
  process.once("exit", kill);
  signal?.addEventListener("abort", kill);
  if (signal?.aborted) kill();
  return () => {
    clearTimeout(timer);
    process.off("exit", kill);
    signal?.removeEventListener("abort", kill);
    return timedOut;
  };
}

/** Everything a stream has brought when it is asked. */
function collected(stream: ChildProcess["stdio"][number] | undefined): () => string {
  const chunks: Buffer[] = [];
  if (stream && "on" in stream) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

/** All the lines as one: later news of the same name replace earlier. A line that was cut off counts for nothing. */
function reportOf(text: string): ProbeReport {
  const report: ProbeReport = { step: "starting" };
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      Object.assign(report, JSON.parse(line));
    } catch (thrown) {
      return { ...report, thrown: `"${line}" was said: ${messageOf(thrown)}` };
    }
  }
  return report;
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1)!.slice(0, 300);
