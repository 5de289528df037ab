/**
 * Remembered passes of the self-test: one JSON file in the user's cache folder on Node, localStorage in browsers. An entry can
 * only skip a test that passed; a corrupt or foreign-owned file is ignored. Nothing is remembered for a provider that does not
 * name its build (`versions.build`): it could not be told from a changed one.
 */
import type { Device } from "./device.js";
import { builtinModule, environment } from "./environment.js";
import type { Detection } from "./registry.js";
import { version } from "./version.js";

const storageName = "halfbyte-self-test";
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

function fileHome(): Home | undefined {
  const files = builtinModule<Files>("node:fs");
  const base =
    environment("XDG_CACHE_HOME") ??
    environment("LOCALAPPDATA") ??
    (environment("HOME") && `${environment("HOME")}/.cache`);
  if (!files || !base) return undefined;
  const path = `${base}/halfbyte/self-test.json`;
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

function browserHome(): Home | undefined {
  const storage = permittedStorage();
  return storage && { load: () => storage.getItem(storageName), save: (text) => storage.setItem(storageName, text) };
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

const keyOf = (device: Device, { versions, devices }: Detection): string | undefined =>
  versions["build"] &&
  JSON.stringify([version, device.name, device.tier, versions, devices.map(({ id, name }) => [id, name])]);

function passes(home: Home): string[] {
  try {
    const parsed: unknown = JSON.parse(home.load() ?? "[]");
    return Array.isArray(parsed) ? parsed.filter((entry) => typeof entry === "string") : [];
  } catch {
    // Absent, unreadable or corrupt: the test simply runs again.
    return [];
  }
}

const homeOf = (): Home | undefined => fileHome() ?? browserHome();

export function hasPassed(device: Device, detection: Detection): boolean {
  const [home, key] = [homeOf(), keyOf(device, detection)];
  return home !== undefined && key !== undefined && passes(home).includes(key);
}

export function rememberPass(device: Device, detection: Detection): void {
  const [home, key] = [homeOf(), keyOf(device, detection)];
  if (!home || !key) return;
  try {
    home.save(JSON.stringify([key, ...passes(home)].slice(0, entryLimit)));
  } catch {
    // A cache that cannot be written costs a few milliseconds next time, nothing else.
  }
}
