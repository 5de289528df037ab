/** The user's store: what is in use, switching and going back, several runs at once, damage. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { foldersInUse, generationNumbers } from "@halfbyte/native/library-store";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import { findLibraries } from "../src/find-libraries.js";
import { LibraryStore } from "../src/library-store.js";
import { worldOf } from "./machines.js";
import { install } from "./stub-libraries.js";

let data: string;
let store: LibraryStore;
beforeEach(() => {
  data = temporaryFolder();
  store = new LibraryStore(join(data, "halfbyte", "libraries"));
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => vi.restoreAllMocks());

/** A build of its own: other bytes, another id. */
async function added(id: string, text = id): Promise<string> {
  const folder = install({ id, body: Buffer.from(text) });
  return (await store.add(join(folder, `libhalfbyte_${id}.so`))).id;
}

const inUse = async () => (await store.builds()).filter(({ inUse }) => inUse).map(({ id }) => id);
const record = (number: number) => join(store.folder, "generations", String(number).padStart(8, "0"), "in-use.json");

describe("an empty store", () => {
  it("has nothing, and makes no folder for it", async () => {
    expect(await store.builds()).toEqual([]);
    expect(store.problem()).toBeUndefined();
    expect(existsSync(store.folder)).toBe(false);
  });

  it("has nothing to go back to", async () => {
    await expect(store.rollback()).rejects.toMatchObject({ code: "STORE_NOTHING_EARLIER" });
  });

  it("has no build of any name", async () => {
    await expect(store.use("cuda124")).rejects.toMatchObject({ code: "STORE_BUILD_UNKNOWN" });
    await expect(store.use("")).rejects.toMatchObject({ code: "STORE_BUILD_UNKNOWN" });
    await expect(store.use("../../etc")).rejects.toMatchObject({ code: "STORE_BUILD_UNKNOWN" });
  });
});

describe("adding", () => {
  it("keeps a library and its entry, named by its hash, not in use", async () => {
    const id = await added("cuda124");
    expect(id).toMatch(/^cuda124-[0-9a-f]{12}$/);
    expect(await store.builds()).toMatchObject([{ id, library: "cuda124", inUse: false }]);
    const folder = join(store.folder, "builds", id);
    expect(readdirSync(folder).sort()).toEqual(["libhalfbyte_cuda124.so", "manifest.json"]);
    expect(statSync(folder).mode & 0o077).toBe(0);
  });

  it("keeps the same bytes once", async () => {
    expect(await added("cuda124")).toBe(await added("cuda124"));
    expect(await store.builds()).toHaveLength(1);
  });

  it("refuses a library that is not what its manifest says", async () => {
    const folder = install({ id: "cuda124", body: Buffer.from("one thing") });
    const path = join(folder, "libhalfbyte_cuda124.so");
    writeFileSync(path, "another");
    await expect(store.add(path)).rejects.toMatchObject({ code: "LIBRARY_CHANGED" });
    expect(existsSync(store.folder)).toBe(false);
  });

  it("replaces a build that was damaged", async () => {
    const id = await added("cuda124");
    const path = join(store.folder, "builds", id, "libhalfbyte_cuda124.so");
    writeFileSync(path, "damaged");
    expect(await store.builds()).toMatchObject([{ refusal: { code: "LIBRARY_CHANGED" } }]);
    await expect(store.use(id)).rejects.toMatchObject({ code: "LIBRARY_CHANGED" });
    expect(await added("cuda124")).toBe(id);
    expect(readFileSync(path, "utf8")).toBe("cuda124");
  });
});

describe("using and going back", () => {
  it("puts one build of each library in use", async () => {
    const [first, second, other] = [await added("cuda124", "1"), await added("cuda124", "2"), await added("cuda118")];
    await store.use(first);
    await store.use(other);
    expect(await store.use(second)).toEqual({ before: [other, first].sort(), now: [other, second].sort() });
    expect(await inUse()).toEqual([other, second].sort());
  });

  it("changes nothing when it is in use already", async () => {
    const id = await added("cuda124");
    await store.use(id);
    expect(await store.use("cuda124")).toEqual({ before: [id], now: [id] });
    expect(generationNumbers(store.folder)).toEqual([1]);
  });

  it("wants a name that fits one build", async () => {
    const ids = [await added("cuda124", "1"), await added("cuda124", "2")];
    await expect(store.use("cuda124")).rejects.toMatchObject({ message: expect.stringContaining(ids[0]!) });
    await expect(store.use("cuda12")).rejects.toMatchObject({ code: "STORE_BUILD_UNKNOWN" });
    expect((await store.use(ids[0]!.slice(0, 12))).now).toEqual([ids[0]]);
  });

  it("goes back step by step, to nothing in use, and no further", async () => {
    const [first, second] = [await added("cuda124", "1"), await added("cuda124", "2")];
    await store.use(first);
    await store.use(second);
    expect((await store.rollback()).now).toEqual([first]);
    expect((await store.rollback()).now).toEqual([]);
    await expect(store.rollback()).rejects.toMatchObject({ code: "STORE_NOTHING_EARLIER" });
  });

  it("goes back to what was before, also after going back and choosing again", async () => {
    const [first, second, third] = [
      await added("cuda124", "1"),
      await added("cuda124", "2"),
      await added("cuda124", "3"),
    ];
    for (const id of [first, second]) await store.use(id);
    await store.rollback();
    await store.use(third);
    expect((await store.rollback()).now).toEqual([first]);
  });

  it("keeps the generations of the last changes only", async () => {
    const ids = [await added("cuda124", "1"), await added("cuda124", "2")];
    for (let i = 0; i < 70; i++) await store.use(ids[i % 2]!);
    expect(generationNumbers(store.folder)).toHaveLength(64);
    expect((await store.rollback()).now).toEqual([ids[0]]);
  });
});

describe("who loads libraries", () => {
  const found = async () =>
    (
      await findLibraries(worldOf({ XDG_DATA_HOME: data }), {
        folders: [install({ id: "cuda124", body: Buffer.from("package") })],
      })
    ).map(({ path, refusal }) => [path, refusal?.code]);

  it("finds what is in use before the package's own", async () => {
    const id = await added("cuda124");
    expect(await found()).toHaveLength(1);
    await store.use(id);
    const [first, second] = await found();
    expect(first).toEqual([join(store.folder, "builds", id, "libhalfbyte_cuda124.so"), undefined]);
    expect(second![0]).not.toContain(store.folder);
  });

  it("does without builds that are gone", async () => {
    const id = await added("cuda124");
    await store.use(id);
    rmSync(join(store.folder, "builds", id), { recursive: true });
    expect(await found()).toHaveLength(1);
  });
});

describe("a damaged record", () => {
  it.each([
    ["garbage", "}{"],
    ["another thing", '{"builds":"cuda124"}'],
    ["a path out of the store", '{"builds":["../../../tmp/cuda124-000000000000"],"before":null}'],
    ["a record before itself", '{"builds":[],"before":2}'],
  ])("is said, and loads nothing: %s", async (_what, text) => {
    const [first, second] = [await added("cuda124", "1"), await added("cuda124", "2")];
    await store.use(first);
    await store.use(second);
    writeFileSync(record(2), text);
    expect(store.problem()).toMatchObject({ code: "STORE_DAMAGED" });
    expect(foldersInUse(store.folder)).toEqual([]);
    expect(console.warn).toHaveBeenCalledWith(expect.stringContaining("libs rollback"));
    expect(await store.rollback()).toMatchObject({ now: [first] });
    expect(store.problem()).toBeUndefined();
  });

  it("is mended by choosing, also what is in use by the last good record", async () => {
    const id = await added("cuda124");
    await store.use(id);
    await store.use(id);
    mkdirSync(join(store.folder, "generations", "00000002"));
    expect(store.problem()).toBeDefined();
    expect((await store.use(id)).now).toEqual([id]);
    expect(store.problem()).toBeUndefined();
  });
});

describe("several at once", () => {
  const ids = ["cuda111", "cuda118", "cuda121", "cuda124", "cuda126", "cuda128", "cuda130", "cuda132"];

  it("lose nothing in one process", async () => {
    const builds = await Promise.all(ids.map((id) => added(id)));
    await Promise.all(builds.map((id) => new LibraryStore(store.folder).use(id)));
    expect((await inUse()).sort()).toEqual([...builds].sort());
    expect(generationNumbers(store.folder)).toHaveLength(ids.length);
  });

  it("lose nothing in several processes", async () => {
    const builds = await Promise.all(ids.slice(0, 4).map((id) => added(id)));
    await Promise.all(builds.map((id) => useInProcess(store.folder, id)));
    expect((await inUse()).sort()).toEqual([...builds].sort());
    expect(readdirSync(join(store.folder, "generations")).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("may add the same library", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => added("cuda124")));
    expect(new Set(made).size).toBe(1);
    expect(readdirSync(join(store.folder, "builds"))).toEqual([made[0]]);
  });
});

it("removes what a killed run left, once it is old", async () => {
  const id = await added("cuda124");
  const [old, young] = ["old", "young"].map((name) => join(store.folder, "generations", `.new-${name}`)) as [
    string,
    string,
  ];
  for (const folder of [old, young]) mkdirSync(folder, { recursive: true });
  utimesSync(old, 0, 0);
  await store.use(id);
  expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
});

/** The same in a process of its own. */
function useInProcess(folder: string, id: string): Promise<void> {
  const module = fileURLToPath(new URL("../src/library-store.ts", import.meta.url));
  const script = `import { LibraryStore } from ${JSON.stringify(module)}; await new LibraryStore(${JSON.stringify(folder)}).use(${JSON.stringify(id)});`;
  const child = spawn(
    process.execPath,
    ["--conditions=@halfbyte/source", "--import", "tsx", "--input-type=module", "-e", script],
    { stdio: "inherit" },
  );
  return new Promise((resolve, reject) => {
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`The process ended with ${code}.`))));
  });
}
