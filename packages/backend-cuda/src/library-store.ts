/**
 * Changing the user's store. Every change is one rename: a build, or a generation that says which builds are in use, is made aside and
 * takes its place at once, complete. A generation's number is taken by whoever renames first; the other looks again at what is in use
 * now and tries the next number. So runs at the same time lose nothing, and one that is killed leaves nothing half done.
 */
import { randomUUID } from "node:crypto";
import { copyFile, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { halfbyteError, isHalfbyteError, type Reason } from "@halfbyte/core";
import { type ManifestEntry, manifestEntry, verifiedLibrary } from "@halfbyte/native";
import {
  buildsFolder,
  currentGeneration,
  type Environment,
  type Generation,
  generationFolder,
  generationNumbers,
  generationsFolder,
  isBuildName,
  isGeneration,
  namesIn,
  nothingInUse,
  readGeneration,
  recordFile,
  userStore,
} from "@halfbyte/native/library-store";
import { errorOf } from "./error-of.js";
import { libraryId, parseLibraryFile } from "./library-name.js";

/** A library that the store keeps. */
export interface StoredBuild {
  /** cuda124-1a2b3c4d5e6f */
  readonly id: string;
  /** cuda124 */
  readonly library: string;
  readonly path: string;
  readonly inUse: boolean;
  /** When it came into the store, in ISO 8601. */
  readonly addedAt: string;
  /** What is wrong with its file. */
  readonly refusal?: Reason;
}

/** What a change did. */
export interface Switched {
  readonly before: readonly string[];
  readonly now: readonly string[];
}

/** The record that follows the current one, which may be an older one than the newest, when that is damaged. */
type Change = (current: Generation, isDamaged: boolean) => Pick<Generation, "builds" | "before"> | undefined;

/** Earlier generations are kept for rollbacks, this many. */
const kept = 64;
/** What a killed run left is removed after a day. */
const leftoverMs = 86_400_000;

/** Of this user. */
export const userStoreFolder = (env?: Environment): string => userStore(env);

export class LibraryStore {
  /** `folder` need not exist before something is put there. */
  constructor(readonly folder: string) {}

  /** In the order of their names. Reads every file: whether it is what it was is part of the answer. */
  async builds(): Promise<StoredBuild[]> {
    const { builds: inUse } = this.#current();
    const names = namesIn(buildsFolder(this.folder)).filter(isBuildName).sort();
    return Promise.all(names.map((id) => this.#build(id, inUse.includes(id))));
  }

  /** Why it cannot be told what is in use. */
  problem(): Reason | undefined {
    const current = currentGeneration(this.folder);
    return isGeneration(current) ? undefined : current;
  }

  /** Copies a library and its entry in the manifest beside it. The same bytes are kept once. */
  async add(path: string): Promise<StoredBuild> {
    const verified = verifiedLibrary(path);
    if (verified.refusal) throw errorOf(verified.refusal);
    const id = `${libraryId(parseLibraryFile(basename(path))!)}-${verified.sha256.slice(0, 12)}`;
    const { entry } = manifestEntry(path);
    const place = join(buildsFolder(this.folder), id);
    await this.#discardDamaged(id);
    await this.#publish(place, (folder) => copyBuild(path, entry!, folder));
    return this.#build(id, this.#current().builds.includes(id));
  }

  /** Puts a build in use, instead of another one of the same library. */
  async use(name: string): Promise<Switched> {
    const { id, library, refusal } = this.#named(await this.builds(), name);
    if (refusal) throw errorOf(refusal);
    return this.#switch(({ number, builds }, isDamaged) => {
      if (builds.includes(id) && !isDamaged) return undefined;
      const others = builds.filter((build) => !build.startsWith(`${library}-`));
      return { builds: [...others, id].sort(), before: number };
    });
  }

  /** Puts in use what was in use before the last change that was not itself taken back. */
  async rollback(): Promise<Switched> {
    return this.#switch(({ builds, before }, isDamaged) => {
      if (isDamaged) return { builds, before };
      if (before === null) throw halfbyteError("STORE_NOTHING_EARLIER", "No library was put in use before.");
      const earlier = this.#readable(before);
      return { builds: earlier.builds, before: earlier.before };
    });
  }

  /** What is in use; after damage, what was in use before it. */
  #current(): Generation {
    return this.#readable(generationNumbers(this.folder)[0] ?? 0);
  }

  /** The generation, or the nearest one before it that can be read. */
  #readable(number: number): Generation {
    const numbers = generationNumbers(this.folder).filter((one) => one <= number);
    const readable = numbers.map((one) => readGeneration(this.folder, one)).find(isGeneration);
    return readable ?? nothingInUse;
  }

  async #build(id: string, inUse: boolean): Promise<StoredBuild> {
    const folder = join(buildsFolder(this.folder), id);
    const file = namesIn(folder).find((name) => parseLibraryFile(name)) ?? "";
    const path = join(folder, file);
    const { refusal } = verifiedLibrary(path);
    const library = id.slice(0, id.indexOf("-"));
    return { id, library, path, inUse, addedAt: (await stat(folder)).mtime.toISOString(), ...(refusal && { refusal }) };
  }

  /** By its id, the beginning of its id, or the name of its library where there is one build of it. */
  #named(builds: readonly StoredBuild[], name: string): StoredBuild {
    const fitting = builds.filter(({ id }) => id.startsWith(name));
    if (fitting.length === 1 && name !== "") return fitting[0]!;
    const there = (fitting.length > 1 ? fitting : builds).map(({ id }) => id).join(", ") || "none";
    const what = fitting.length > 1 ? `"${name}" fits several builds` : `There is no build "${name}"`;
    throw halfbyteError("STORE_BUILD_UNKNOWN", `${what}. In the store: ${there}.`);
  }

  /** Makes the next generation of the current one; none when there is nothing to change. */
  async #switch(next: Change): Promise<Switched> {
    for (;;) {
      // Looked at once: whoever takes the next number in between makes the rename fail.
      const newest = generationNumbers(this.folder)[0] ?? 0;
      const current = this.#readable(newest);
      const record = next(current, current.number !== newest);
      if (!record) return { before: current.builds, now: current.builds };
      const write = (folder: string) =>
        writeFile(join(folder, recordFile), `${JSON.stringify(record)}\n`, { flush: true });
      if (!(await this.#publish(generationFolder(this.folder, newest + 1), write))) continue;
      await this.#removeOld(newest + 1);
      return { before: current.builds, now: record.builds };
    }
  }

  /** Fills a folder aside and gives it its name. False when somebody else took the name. */
  async #publish(place: string, fill: (folder: string) => Promise<void>): Promise<boolean> {
    const aside = join(dirname(place), `.new-${randomUUID()}`);
    // Nobody else may write where libraries are loaded from.
    await mkdir(aside, { recursive: true, mode: 0o700 });
    try {
      await fill(aside);
      await rename(aside, place);
      return true;
    } catch (thrown) {
      if (isHalfbyteError(thrown)) throw thrown;
      if (isTaken(thrown) && namesIn(place).length > 0) return false;
      throw halfbyteError("DESTINATION_NOT_WRITABLE", `${place} cannot be written.`, { cause: thrown });
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  /** A build whose file is not what its name says makes room for the right one. */
  async #discardDamaged(id: string): Promise<void> {
    const place = join(buildsFolder(this.folder), id);
    if (namesIn(place).length === 0) return;
    const { refusal } = await this.#build(id, false);
    if (!refusal) return;
    const aside = join(buildsFolder(this.folder), `.old-${randomUUID()}`);
    await rename(place, aside);
    await rm(aside, { recursive: true, force: true });
  }

  async #removeOld(newest: number): Promise<void> {
    const old = generationNumbers(this.folder).filter((number) => number <= newest - kept);
    await Promise.all(old.map((number) => remove(generationFolder(this.folder, number))));
    const folders = [generationsFolder(this.folder), buildsFolder(this.folder)];
    const aside = folders.flatMap((folder) =>
      namesIn(folder)
        .filter((name) => /^\.(new|old)-/.test(name))
        .map((name) => join(folder, name)),
    );
    for (const path of aside) if (await isLeftover(path)) await remove(path);
  }
}

async function copyBuild(path: string, entry: ManifestEntry, folder: string): Promise<void> {
  const copy = join(folder, basename(path));
  await copyFile(path, copy);
  await writeFile(join(folder, "manifest.json"), `${JSON.stringify({ libraries: [entry] }, null, 2)}\n`);
  const { refusal } = verifiedLibrary(copy);
  if (refusal) throw errorOf(refusal);
}

/** What renaming onto a folder that is not empty says, on one system or another. */
const isTaken = (thrown: unknown): boolean =>
  ["ENOTEMPTY", "EEXIST", "EPERM", "EACCES"].includes((thrown as NodeJS.ErrnoException).code ?? "");

const isLeftover = (path: string): Promise<boolean> =>
  stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > leftoverMs,
    () => false,
  );

/** Somebody else may be removing it too. */
const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true }).catch(() => undefined);
