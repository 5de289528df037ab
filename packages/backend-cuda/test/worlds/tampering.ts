/** A machine on which one source's inputs are gone, locked, silent or untrue, while all others stay as they were recorded. */
import type { DeviceQuestion } from "../../src/device-report.js";
import type { SystemLibrary, World } from "../../src/world.js";
import { ending, systemError } from "./recorded-world.js";

/** What a source reads. */
export interface Inputs {
  readonly paths?: RegExp;
  readonly variables?: RegExp;
  readonly programs?: RegExp;
  readonly libraries?: RegExp;
  readonly lists?: DeviceQuestion["by"];
  readonly loaded?: boolean;
}

export type Tampering = "missing" | "unreadable" | "hanging" | { readonly lying: string };

/** That call, done to it. `lie` makes an answer out of the text of a liar. */
function done<T>(how: Tampering, missing: () => Error, lie: (text: string) => T): Promise<T> {
  if (how === "hanging") return new Promise(() => undefined);
  if (how === "missing") return Promise.reject(missing());
  if (how === "unreadable") return Promise.reject(systemError("EACCES", "permission denied", "?"));
  return Promise.resolve().then(() => lie(how.lying));
}

export function tampered(world: World, inputs: Inputs, how: Tampering): World {
  const { paths, programs, libraries, lists, loaded } = inputs;
  const read = <T>(path: string, honest: () => Promise<T>, lie: (text: string) => T): Promise<T> =>
    paths?.test(path) ? done(how, () => systemError("ENOENT", "open", path), lie) : honest();
  const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
  return {
    ...world,
    env: variablesOf(world, inputs, how),
    readText: (path) => read(path, () => world.readText(path), String),
    readBytes: (path, at, length) =>
      read(
        path,
        () => world.readBytes(path, at, length),
        (text) => bytesOf(text.slice(at, at + length)),
      ),
    list: (folder) =>
      read(
        folder,
        () => world.list(folder),
        (text) => text.split(/[\n,]/),
      ),
    realPath: (path) =>
      read(
        path,
        () => world.realPath(path),
        () => path,
      ),
    run: (program, args, options) =>
      programs?.test(program)
        ? done(
            how,
            () => systemError("ENOENT", "spawn", program),
            (stdout) => ({ code: 0, stdout, stderr: stdout }),
          )
        : world.run(program, args, options),
    openLibrary: (name) => (libraries?.test(name) ? libraryOf(world, name, how) : world.openLibrary(name)),
    listDevices: (question, options) =>
      lists === question.by
        ? done(
            how,
            () => new Error("no process"),
            (said) => ending({ said: `${said}\n` }),
          )
        : world.listDevices(question, options),
    loadedLibraries: () =>
      loaded
        ? done(
            how,
            () => systemError("ENOENT", "open", "maps"),
            (text) => text.split("\n"),
          )
        : world.loadedLibraries(),
  };
}

function variablesOf({ env }: World, { variables }: Inputs, how: Tampering): World["env"] {
  const kept = Object.entries(env).filter(([name]) => !variables?.test(name));
  const lies = typeof how === "object" ? Object.keys(env).filter((name) => variables?.test(name)) : [];
  return Object.fromEntries([...kept, ...lies.map((name) => [name, (how as { lying: string }).lying] as const)]);
}

/** A call into a library cannot be cut off, so none hangs here; a liar's number is as strange as its text. */
function libraryOf(world: World, name: string, how: Tampering): SystemLibrary {
  if (how === "missing") throw new Error("cannot open shared object file: No such file or directory");
  if (how === "unreadable") throw new Error("Failed to load shared library: invalid ELF header");
  if (how === "hanging") return world.openLibrary(name);
  const call: SystemLibrary["call"] = (_name, _signature, out) => {
    (out as Int32Array)[0] = Number(how.lying) || how.lying.length;
    return 0;
  };
  return { path: how.lying, call };
}
