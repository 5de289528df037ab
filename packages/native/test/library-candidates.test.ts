/** Where a library may lie, and what is refused before anybody loads it. */
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { abiVersion } from "../src/abi.js";
import { libraryCandidates, libraryFile, listLibraries, verifiedLibrary } from "../src/library-candidates.js";
import { userStore } from "../src/library-store.js";
import { temporaryFolder } from "./stub.js";

const file = "liba.so";
const contents = "a library";
const sha256 = createHash("sha256").update(contents).digest("hex");

beforeEach(() => {
  vi.stubEnv("HALFBYTE_LIBRARY_PATH", undefined);
  vi.stubEnv("XDG_DATA_HOME", temporaryFolder());
});
afterEach(() => vi.unstubAllEnvs());

function withFile(...manifest: readonly object[]): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, file), contents);
  if (manifest.length > 0) writeManifest(folder, { libraries: manifest });
  return folder;
}

const writeManifest = (folder: string, manifest: unknown) =>
  writeFileSync(join(folder, "manifest.json"), typeof manifest === "string" ? manifest : JSON.stringify(manifest));

const entry = { file, sha256, abi: abiVersion };

const own = (folder: string) => libraryCandidates(file, [folder])[0]!;

function named(...folders: readonly string[]) {
  vi.stubEnv("HALFBYTE_LIBRARY_PATH", folders.join(delimiter));
  return libraryCandidates(file, []).slice(1);
}

const codesOf = (candidates: ReturnType<typeof libraryCandidates>) => candidates.map(({ refusal }) => refusal?.code);

describe("the places", () => {
  it("are the package's own folder, the user's store and HALFBYTE_LIBRARY_PATH, in this order", () => {
    const folders = [withFile(entry), withFile()] as const;
    mkdirSync(userStore(), { recursive: true });
    writeFileSync(join(userStore(), file), contents);
    writeManifest(userStore(), { libraries: [entry] });
    vi.stubEnv("HALFBYTE_LIBRARY_PATH", [folders[1], ""].join(delimiter));
    expect(libraryCandidates(file, [folders[0]])).toEqual(
      [folders[0], userStore(), folders[1]].map((folder) => ({ path: join(folder, file), sha256 })),
    );
  });

  it("do not include the current folder", () => {
    const folder = withFile();
    copyFileSync(join(folder, file), join(folder, "libb.so"));
    const cwd = process.cwd();
    try {
      process.chdir(folder);
      expect(libraryCandidates(file, []).map(({ path }) => path)).toEqual([join(userStore(), file)]);
    } finally {
      process.chdir(cwd);
    }
  });

  it("lie outside Electron's archive", () => {
    const { path } = own(join("/app", "app.asar", "node_modules", "@halfbyte", "backend-cpu", "build"));
    expect(path).toBe(join("/app", "app.asar.unpacked", "node_modules", "@halfbyte", "backend-cpu", "build", file));
  });

  it("hold a file with the system's name", () => {
    const systems = ["linux", "darwin", "win32"] as const;
    expect(systems.map((system) => libraryFile("hb", system))).toEqual(["libhb.so", "libhb.dylib", "libhb.dll"]);
  });
});

describe("refused", () => {
  it("a missing file", () => {
    expect(own(temporaryFolder()).refusal).toMatchObject({
      code: "LIBRARY_NOT_FOUND",
      message: expect.stringContaining(file),
    });
  });

  it("a folder of that name", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, file));
    expect(own(folder).refusal?.code).toBe("LIBRARY_NOT_FOUND");
  });

  it("relative entries", () => {
    expect(codesOf(named(".", "build"))).toEqual(["LIBRARY_PATH_REFUSED", "LIBRARY_PATH_REFUSED"]);
  });

  it("a folder that everybody can write to, and such a file", ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const [open, closed] = [withFile(entry), withFile(entry)];
    chmodSync(open, 0o777);
    chmodSync(join(closed, file), 0o666);
    expect(codesOf(named(open, closed))).toEqual(["LIBRARY_PATH_REFUSED", "LIBRARY_PATH_REFUSED"]);
  });

  it("a link to a file that everybody can write to", ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const [folder, elsewhere] = [temporaryFolder(), withFile()];
    chmodSync(join(elsewhere, file), 0o666);
    symlinkSync(join(elsewhere, file), join(folder, file));
    expect(codesOf(named(folder))).toEqual(["LIBRARY_PATH_REFUSED"]);
  });
});

describe("the manifest", () => {
  it.each([
    [
      "another hash",
      { ...entry, sha256: sha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) },
      "LIBRARY_CHANGED",
    ],
    ["another ABI", { ...entry, abi: abiVersion + 1 }, "LIBRARY_ABI_MISMATCH"],
    ["another file", { ...entry, file: "libb.so" }, "LIBRARY_MANIFEST_INVALID"],
    ["no hash", { file, abi: abiVersion }, "LIBRARY_MANIFEST_INVALID"],
  ])("with %s refuses the library, wherever it lies", (_, other, code) => {
    const folder = withFile(other);
    expect(own(folder).refusal).toMatchObject({ code, remedy: expect.stringMatching(/build/i) });
    expect(codesOf(named(folder))).toEqual([code]);
  });

  it.each(["", "{", "null", "[]", '{"libraries":3}', '{"libraries":[null, 3]}'])("%j is none", (text) => {
    const folder = withFile();
    writeManifest(folder, text);
    expect(own(folder).refusal?.code).toBe("LIBRARY_MANIFEST_INVALID");
    expect(codesOf(named(folder))).toEqual(["LIBRARY_MANIFEST_INVALID"]);
  });

  it("may be missing only in a folder that the user named", () => {
    const folder = withFile();
    expect(own(folder).refusal?.code).toBe("LIBRARY_MANIFEST_INVALID");
    expect(named(folder)).toEqual([{ path: join(folder, file), sha256 }]);
  });

  it("may name several libraries", () => {
    expect(own(withFile({ ...entry, file: "libb.so", sha256: "0" }, entry)).sha256).toBe(sha256);
  });
});

describe("all libraries whose name matches", () => {
  const isMine = (name: string) => name.startsWith("lib");
  const list = (...folders: readonly string[]) =>
    listLibraries(isMine, folders, { XDG_DATA_HOME: "/nowhere", HALFBYTE_LIBRARY_PATH: "relative" });

  it("come with what their manifests say, place by place and by name", () => {
    const [first, second] = [withFile({ ...entry, version: "12.4" }), withFile({ ...entry, abi: 0 })];
    copyFileSync(join(first, file), join(first, "lib0.so"));
    expect(list(first, "/nowhere", second)).toEqual([
      { path: join(first, "lib0.so"), refusal: expect.objectContaining({ code: "LIBRARY_MANIFEST_INVALID" }) },
      { path: join(first, file), entry: expect.objectContaining({ version: "12.4" }) },
      {
        path: join(second, file),
        entry: expect.anything(),
        refusal: expect.objectContaining({ code: "LIBRARY_ABI_MISMATCH" }),
      },
    ]);
  });

  it("are not read: that comes before one is loaded", () => {
    const folder = withFile({ ...entry, sha256: "0" });
    const [listed] = list(folder);
    expect(listed).toMatchObject({ entry: { sha256: "0" } });
    expect(verifiedLibrary(listed!.path).refusal?.code).toBe("LIBRARY_CHANGED");
    writeManifest(folder, { libraries: [entry] });
    expect(verifiedLibrary(listed!.path)).toEqual({ path: listed!.path, sha256 });
  });

  it("are refused in places that everybody can write to", ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const folder = withFile(entry);
    chmodSync(folder, 0o777);
    const [listed] = listLibraries(isMine, [], { HALFBYTE_LIBRARY_PATH: folder, XDG_DATA_HOME: "/nowhere" });
    expect(listed!.refusal?.code).toBe("LIBRARY_PATH_REFUSED");
  });

  it("may say anything in their manifest, and stay data", () => {
    const folder = withFile({ ...entry, code: "EVIL", message: "x", remedy: "y" });
    expect(list(folder)[0]).toMatchObject({ entry: { code: "EVIL" } });
    expect(verifiedLibrary(join(folder, file)).refusal).toBeUndefined();
  });
});
