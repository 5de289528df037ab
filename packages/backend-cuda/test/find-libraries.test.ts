/** Which libraries there are, by their manifests, and what speaks against a file. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../native/test/stub.js";
import { findLibraries } from "../src/find-libraries.js";
import { libraryId } from "../src/library-name.js";
import { worldOf } from "./machines.js";
import { install, installNames } from "./stub-libraries.js";

const find = (folders: readonly string[], env = {}, loaded: readonly string[] = []) =>
  findLibraries(worldOf(env, loaded), { folders });

const withEntry = async (entry: object) => {
  const folder = install({ id: "cuda124", body: Buffer.from("x"), entry });
  const [library] = await find([folder]);
  return library!;
};

describe("a library", () => {
  it("is what its manifest says", async () => {
    const folder = installNames("cuda124");
    const { libraries } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
    expect(await find([folder])).toEqual([
      {
        runtime: "cuda",
        version: { major: 12, minor: 4 },
        path: join(folder, "libhalfbyte_cuda124.so"),
        sha256: libraries[0].sha256,
        sass: [
          { major: 8, minor: 0 },
          { major: 8, minor: 6 },
          { major: 9, minor: 0 },
        ],
        ptx: [{ major: 9, minor: 0 }],
        linkage: "static",
        platform: process.platform,
        arch: process.arch,
        glibc: "2.17",
        needs: ["libc.so.6"],
      },
    ]);
  });

  it("may need no glibc", async () => expect(await withEntry({ glibc: null })).not.toHaveProperty("glibc"));

  it.each([
    [{ version: "12.5" }, "12.5"],
    [{ runtime: "rocm" }, "rocm"],
    [{ sass: "8.6" }, "sass"],
    [{ sass: ["8.6", "sm_90a"] }, "sass"],
    [{ ptx: [86] }, "ptx"],
    [{ linkage: "some" }, "some"],
    [{ platform: undefined }, "platform"],
    [{ glibc: "new" }, "new"],
    [{ needs: [1] }, "needs"],
  ])("whose entry says %j is refused, and what is wrong is named", async (entry, word) => {
    expect((await withEntry(entry)).refusal).toMatchObject({
      code: "LIBRARY_MANIFEST_INVALID",
      message: expect.stringContaining(word),
      remedy: expect.stringContaining("again"),
    });
  });

  it.each([
    [{ abi: 1 }, "LIBRARY_ABI_MISMATCH"],
    [{ file: "other.so" }, "LIBRARY_MANIFEST_INVALID"],
    [{ sha256: 7 }, "LIBRARY_MANIFEST_INVALID"],
  ])("with %j → %s", async (entry, code) => expect((await withEntry(entry)).refusal!.code).toBe(code));

  it("without a manifest is a candidate all the same, and refused", async () => {
    const folder = installNames("cuda124");
    rmSync(join(folder, "manifest.json"));
    expect(await find([folder])).toMatchObject([
      { version: { major: 12, minor: 4 }, refusal: { code: "LIBRARY_MANIFEST_INVALID" } },
    ]);
  });

  it("is not read: a changed file shows when it is to be loaded", async () => {
    const folder = installNames("cuda124");
    writeFileSync(join(folder, "libhalfbyte_cuda124.so"), "something else");
    expect((await find([folder]))[0]).not.toHaveProperty("refusal");
  });
});

describe("the places", () => {
  it("are looked at in order, each by name", async () => {
    const [first, second, named] = [
      installNames("cuda124", "cuda118"),
      installNames("cuda124"),
      installNames("cuda130"),
    ];
    const found = await find([first, second], { HALFBYTE_LIBRARY_PATH: named });
    expect(found.map(({ path }) => path)).toEqual([
      join(first, "libhalfbyte_cuda118.so"),
      join(first, "libhalfbyte_cuda124.so"),
      join(second, "libhalfbyte_cuda124.so"),
      join(named, "libhalfbyte_cuda130.so"),
    ]);
  });

  it("hold other files too", async () => {
    const folder = installNames("cuda124");
    for (const file of ["libhalfbyte_cpu.so", "libhalfbyte_cuda124_emulated.so", "notes.txt"])
      writeFileSync(join(folder, file), "");
    expect((await find([folder])).map(libraryId)).toEqual(["cuda124"]);
  });

  it("may not exist, be a file or be empty", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(await find([folder, join(folder, "file"), join(folder, "nowhere")])).toEqual([]);
  });

  it("named by a variable may not be open to everybody", async ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const folder = installNames("cuda124");
    chmodSync(folder, 0o777);
    const [library] = await find([], { HALFBYTE_LIBRARY_PATH: folder });
    expect(library!.refusal!.code).toBe("LIBRARY_PATH_REFUSED");
  });

  it("are those of this package unless told otherwise", async () => {
    const found = await findLibraries(worldOf({}));
    for (const { path } of found) expect(path).toMatch(/backend-cuda/);
  });
});

describe("a library that takes its CUDA from the process", () => {
  const dynamic = { linkage: "dynamic", needs: ["libcublasLt.so.12", "libc.so.6"] };
  const unmetWith = async (...loaded: string[]) => {
    const folder = install({ id: "cuda124", body: Buffer.from("x"), entry: dynamic });
    return (await find([folder], {}, loaded))[0]!.unmet;
  };

  it("cannot have another major than what is loaded", async () => {
    expect(await unmetWith("/usr/lib/libcublasLt.so.11.11.3.6")).toEqual([
      "libcublasLt.so.12 (libcublasLt.so.11.11.3.6 is loaded)",
    ]);
  });

  it("gets along with the same major, and with other libraries", async () => {
    expect(
      await unmetWith("/usr/lib/libcublasLt.so.12.4.5.8", "/usr/lib/libcublas.so.11", "/lib/libc.so.7"),
    ).toBeUndefined();
    expect(await unmetWith()).toBeUndefined();
  });
});
