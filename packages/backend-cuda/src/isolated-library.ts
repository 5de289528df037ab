/**
 * A library of the system in a process of its own. A driver that has lost a GPU may keep a call for ever: on a thread of this process
 * the call would keep it from ending, even by process.exit(). The process is kept between calls, because starting NVML wakes up GPUs.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { halfbyteError } from "@halfbyte/core";
import { scriptEnvironment, scriptObstacle } from "@halfbyte/native";
import type { IsolatedLibrary } from "./monitored-world.js";

const script = fileURLToPath(new URL("./library-child.cjs", import.meta.url));

/** For starting the process, which on a busy machine takes longer than any call. */
const startLimitMs = 10_000;

interface Reply {
  readonly id?: number;
  readonly status?: number;
  readonly arrays?: readonly FilledArray[];
  readonly missing?: boolean;
  readonly thrown?: string;
}

type FilledArray = Uint8Array | Int32Array | Uint32Array | BigUint64Array;

/** Rejects when no process can be started, or the library cannot be loaded in it. */
export async function isolateLibrary(path: string, limitMs: number): Promise<IsolatedLibrary> {
  const obstacle = scriptObstacle(script);
  if (obstacle) throw halfbyteError("PROBE_UNAVAILABLE", `${path} cannot be asked: ${obstacle}`);
  const library = new LibraryProcess(path, limitMs);
  try {
    await library.answer(0, "loading", Math.max(startLimitMs, limitMs));
    return library;
  } catch (thrown) {
    library.close();
    throw thrown;
  }
}

class LibraryProcess implements IsolatedLibrary {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>();
  #calls = 0;
  /** Why no call can be answered any more. */
  #ended: string | undefined;

  constructor(
    readonly path: string,
    readonly limitMs: number,
  ) {
    const options: SpawnOptions = {
      env: scriptEnvironment(),
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      // Arrays and 64-bit handles travel as they are.
      serialization: "advanced",
      windowsHide: true,
    };
    this.#child = spawn(process.execPath, [script, path], options);
    this.#child.on("message", (reply: Reply) => this.#waiting.get(reply.id ?? 0)?.resolve(reply));
    this.#child.on("error", (error) => this.#end(`it could not be started: ${error.message}`));
    this.#child.on("exit", (code, signal) => this.#end(`its process ended with ${signal ?? code}`));
    process.once("exit", this.#kill);
    // Neither keeps this process alive; a call under way does, by its timer.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  async call(name: string, signature: string, ...args: readonly unknown[]): Promise<number | undefined> {
    if (this.#ended) throw new Error(`${this.path}: ${this.#ended}.`);
    const id = ++this.#calls;
    const answered = this.answer(id, name);
    this.#child.send({ id, name, signature, args });
    const { status, arrays = [], missing } = await answered;
    if (missing) return undefined;
    const given = args.filter((arg): arg is FilledArray => ArrayBuffer.isView(arg));
    given.forEach((array, index) => {
      (array as Uint8Array).set(arrays[index] as Uint8Array);
    });
    return status;
  }

  /** The reply to a call; 0 is the library itself. */
  async answer(id: number, name: string, limitMs = this.limitMs): Promise<Reply> {
    const late = setTimeout(() => this.#end(`${name} did not answer within ${limitMs / 1000} s`), limitMs);
    try {
      const reply = await new Promise<Reply>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
      if (reply.thrown !== undefined) throw new Error(reply.thrown);
      return reply;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#end("it was closed");
  }

  readonly #kill = (): void => void this.#child.kill("SIGKILL");

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = why;
    this.#kill();
    process.off("exit", this.#kill);
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.path}: ${why}.`));
  }
}
