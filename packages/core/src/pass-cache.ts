/**
 * Remembered passes of a test, each a string that names everything the pass holds for: one JSON file per kind of test in the
 * user's cache folder on Node, localStorage in browsers. An entry can only skip a test that passed; a corrupt or foreign-owned
 * file is ignored.
 */
import { builtinModule, environment } from "./environment.js";

export interface PassCache {
  has(key: string): boolean;
  /** What was noted with a pass; undefined when there is none. */
  noteOf(key: string): string | undefined;
  add(key: string, note?: string): void;
}

const entryLimit = 64;

interface Home {
  load(): string | null | undefined;
  save(text: string): void;
}

interface Files {
  readFileSync(path: string, encoding: "utf8"): string;
  statSync(path: string): { uid: number };
  mkdirSync(path: string, options: { recursive: true; mode: number }): void;
  writeFileSync(path: string, text: string, options: { mode: number }): void;
  renameSync(from: string, to: string): void;
}

function fileHome(name: string): Home | undefined {
  const files = builtinModule<Files>("node:fs");
  const base =
    environment("XDG_CACHE_HOME") ??
    environment("LOCALAPPDATA") ??
    (environment("HOME") && `${environment("HOME")}/.cache`);
  if (!files || !base) return undefined;
  const path = `${base}/halfbyte/${name}.json`;
  const owner = (globalThis as { process?: { getuid?(): number; pid?: number } }).process;
  return {
    load: () =>
      owner?.getuid && files.statSync(path).uid !== owner.getuid() ? null : files.readFileSync(path, "utf8"),
    save: (text) => {
      files.mkdirSync(`${base}/halfbyte`, { recursive: true, mode: 0o700 });
      files.writeFileSync(`${path}.${owner?.pid}`, text, { mode: 0o600 });
      files.renameSync(`${path}.${owner?.pid}`, path);
    },
  };
}

function browserHome(name: string): Home | undefined {
  const [storage, item] = [permittedStorage(), `halfbyte-${name}`];
  return storage && { load: () => storage.getItem(item), save: (text) => storage.setItem(item, text) };
}

/** Looking at it throws in frames that may not store anything. */
function permittedStorage(): Storage | undefined {
  try {
    return (globalThis as { localStorage?: Storage }).localStorage;
  } catch {
    return undefined;
  }
}

interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

function passes(home: Home): string[] {
  try {
    const parsed: unknown = JSON.parse(home.load() ?? "[]");
    return Array.isArray(parsed) ? parsed.filter((entry) => typeof entry === "string") : [];
  } catch {
    // Absent, unreadable or corrupt: the test simply runs again.
    return [];
  }
}

/** The passes of one kind of test. Where it is kept is asked each time: the environment may change. */
export function passCache(name: string): PassCache {
  const home = () => fileHome(name) ?? browserHome(name);
  const entries = () => {
    const kept = home();
    return kept ? passes(kept) : [];
  };
  return {
    has: (key) => entries().includes(key),
    noteOf: (key) => noted(entries(), key),
    add(key, note) {
      const kept = home();
      if (kept) remember(kept, key, note);
    },
  };
}

/** Between a key and its note: no key has a line break. */
const separator = "\n";

function noted(entries: readonly string[], key: string): string | undefined {
  const entry = entries.find((text) => text.startsWith(key + separator));
  return entry?.slice(key.length + separator.length);
}

function remember(home: Home, key: string, note: string | undefined): void {
  const [entry, prefix] = note === undefined ? [key, undefined] : [key + separator + note, key + separator];
  const others = passes(home).filter((text) => text !== entry && !(prefix && text.startsWith(prefix)));
  try {
    home.save(JSON.stringify([entry, ...others].slice(0, entryLimit)));
  } catch {
    // A cache that cannot be written costs one test next time, nothing else.
  }
}
