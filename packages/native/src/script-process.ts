/**
 * Work that may crash or hang, in a process of its own: a plain script, started with a request as its only argument, that says on
 * file descriptor 3, one JSON object a line, what it is about to do and what it found.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { halfbyteError } from "@halfbyte/core";

/** Set in the child: a program that is not Node would start itself again there, and must not go on for ever. */
const childMark = "HALFBYTE_PROBE_CHILD";

export interface ScriptOptions {
  /** For all of it; with `startLimitMs`, from its first word on. */
  readonly limitMs: number;
  /** Until its first word, when that may take longer than the limit: starting a process on a busy machine is no fault of the script. */
  readonly startLimitMs?: number;
  readonly signal?: AbortSignal;
}

/** How it ended, and what it had said until then. */
export interface ScriptEnding {
  /** The last line may be cut off. */
  readonly said: string;
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  /** The last line it wrote there. */
  readonly stderr: string;
}

/** Why `script` cannot be started here. */
export function scriptObstacle(script: string): string | undefined {
  if (process.env[childMark]) return "this program was itself started to try a library: it is not Node.";
  if (isSingleFile()) return "this program is a single-file build, which cannot run another script.";
  return existsSync(script) ? undefined : `${script} does not exist: the package was bundled into another file.`;
}

/** Made by Node itself, or by pkg. Other runtimes need not know node:sea. */
const isSingleFile = (): boolean => process.getBuiltinModule?.("node:sea")?.isSea() === true || "pkg" in process;

/** Rejects when the process cannot be started, and with ABORTED. */
export function runScript(script: string, request: unknown, options: ScriptOptions): Promise<ScriptEnding> {
  return new Promise((resolve, reject) => {
    const child = start(script, request);
    const end = watch(child, options);
    const [said, stderr] = [collected(child.stdio[3]), collected(child.stderr)];
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code, killedBy) => {
      const timedOut = end();
      if (options.signal?.aborted) return reject(halfbyteError("ABORTED", "Trying a library was aborted."));
      resolve({ said: said(), code, signal: killedBy, timedOut, stderr: lastLine(stderr()) });
    });
  });
}

/** What a script is started with. Electron's own program acts as Node when asked to. */
export function scriptEnvironment(): NodeJS.ProcessEnv {
  const asNode = process.versions["electron"] === undefined ? {} : { ELECTRON_RUN_AS_NODE: "1" };
  return { ...process.env, ...asNode, [childMark]: "1" };
}

function start(script: string, request: unknown): ChildProcess {
  return spawn(process.execPath, [script, JSON.stringify(request)], {
    env: scriptEnvironment(),
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    windowsHide: true,
  });
}

/** Ends the child when its time is up, the caller gives up or this process ends. The result stops it and tells of the time. */
function watch(child: ChildProcess, { limitMs, startLimitMs, signal }: ScriptOptions): () => boolean {
  let timedOut = false;
  const kill = () => child.kill("SIGKILL");
  const giveUp = () => {
    timedOut = kill();
  };
  let timer = setTimeout(giveUp, Math.max(limitMs, startLimitMs ?? 0));
  if (startLimitMs !== undefined)
    child.stdio[3]?.once("data", () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, limitMs);
    });
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

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1)!.slice(0, 300);
