/** Dependencies as the system's loader finds them: held to `ldd` on this machine, and to rules on made ones. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { compileLibrary, noStubs, temporaryFolder } from "../../native/test/stub.js";
import { nodeWorld } from "../src/node-world.js";
import { dependenciesOf, parseLdconfig } from "../src/shared-libraries.js";
import { elfFile } from "./worlds/elf-file.js";
import { type Recording, recordedWorld } from "./worlds/index.js";

const noLdd = spawnSync("ldd", ["--version"]).error ? "no ldd here" : undefined;

/** name => path, without the address; the loader's own line has no arrow. */
function ldd(path: string): Map<string, string> {
  const { stdout } = spawnSync("ldd", [path], { encoding: "utf8" });
  const found = [...stdout.matchAll(/^\s*(\S+) => (not found|\S+)/gm)];
  return new Map(found.map(([, name, where]) => [name!, where!]));
}

const only = async (world: Recording, path: string) => (await dependenciesOf(recordedWorld(world), [path]))[0]!;
const pathsOf = (needs: readonly { name: string; path: string | null }[]) =>
  Object.fromEntries(needs.map(({ name, path }) => [name, path]));

describe("beside ldd", () => {
  it("says the same of this Node", async (ctx) => {
    if (noLdd) ctx.skip(noLdd);
    // What is loaded already goes before the rules, so nothing is.
    const world = { ...nodeWorld(), loadedLibraries: async () => [] };
    const [{ needs, missing }] = (await dependenciesOf(world, [process.execPath])) as [
      Awaited<ReturnType<typeof only>>,
    ];
    expect(missing).toEqual([]);
    const expected = ldd(process.execPath);
    for (const [name, path] of expected) expect(pathsOf(needs)).toHaveProperty([name], path);
  });

  it("says the same of a library with a missing dependency", async (ctx) => {
    if (noStubs ?? noLdd) ctx.skip((noStubs ?? noLdd)!);
    const folder = temporaryFolder();
    const gone = compileLibrary(join(folder, "gone"), "int gone(void) { return 1; }", "-Wl,-soname,libgone.so.7");
    const library = compileLibrary(folder, "int gone(void); int here(void) { return gone(); }", gone);
    const [{ needs, missing }] = (await dependenciesOf(nodeWorld(), [library])) as [Awaited<ReturnType<typeof only>>];
    expect(ldd(library).get("libgone.so.7")).toBe("not found");
    expect(missing).toEqual(["libgone.so.7"]);
    expect(needs.find(({ name }) => name === "libgone.so.7")).toMatchObject({ path: null, neededBy: "libstub.so" });
  });

  it.for([
    ["a runpath", "-Wl,--enable-new-dtags"],
    ["an rpath", "-Wl,--disable-new-dtags"],
  ] as const)("says the same of a library with %s", async ([, tags], ctx) => {
    if (noStubs ?? noLdd) ctx.skip((noStubs ?? noLdd)!);
    const folder = temporaryFolder();
    const near = compileLibrary(join(folder, "near"), "int near(void) { return 1; }", "-Wl,-soname,libstub.so");
    const flags = [near, "-Wl,-rpath,$ORIGIN/../near", tags];
    const library = compileLibrary(join(folder, "far"), "int near(void); int far(void) { return near(); }", ...flags);
    const [{ needs }] = (await dependenciesOf(nodeWorld(), [library])) as [Awaited<ReturnType<typeof only>>];
    const normal = (path: string | null | undefined) => path && resolve(path);
    expect(normal(pathsOf(needs)["libstub.so"])).toBe(near);
    expect(normal(ldd(library).get("libstub.so"))).toBe(near);
  });
});

const library = "/opt/our/libours.so";
const ours = (needed: readonly string[]) => ({ [library]: elfFile({ needed }) });
const theirs = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, elfFile({ needed: [] })]));

describe("the order of places", () => {
  it("is LD_LIBRARY_PATH, the cache, the usual folders", async () => {
    const files = {
      ...ours(["liba.so.1", "libb.so.1", "libc.so.6"]),
      ...theirs("/env/liba.so.1", "/usr/lib/liba.so.1", "/usr/lib/libb.so.1"),
    };
    const programs = {
      "/sbin/ldconfig -p": {
        stdout: "\tliba.so.1 (libc6,x86-64) => /cache/liba.so.1\n\tlibc.so.6 (libc6,x86-64) => /cache/libc.so.6\n",
      },
    };
    const { needs } = await only({ files, programs, env: { LD_LIBRARY_PATH: "/nowhere:/env" } }, library);
    expect(pathsOf(needs)).toEqual({
      "liba.so.1": "/env/liba.so.1",
      "libb.so.1": "/usr/lib/libb.so.1",
      "libc.so.6": "/cache/libc.so.6",
    });
  });

  it("begins with what is loaded", async () => {
    const files = {
      ...ours(["liba.so.1"]),
      ...theirs("/env/liba.so.1"),
      "/app/liba.so.1.2": elfFile({ needed: [], soname: "liba.so.1" }),
    };
    const { needs } = await only(
      { files, loaded: ["/app/liba.so.1.2", "/gone.so (deleted)"], env: { LD_LIBRARY_PATH: "/env" } },
      library,
    );
    expect(pathsOf(needs)).toEqual({ "liba.so.1": "/app/liba.so.1.2" });
  });

  it("passes over files of another machine, and over what is no library", async () => {
    const wrong = { "/one/liba.so.1": elfFile({ needed: [], machine: 183 }), "/two/liba.so.1": "a linker script" };
    const files = { ...ours(["liba.so.1"]), ...wrong, ...theirs("/three/liba.so.1") };
    const { needs } = await only({ files, env: { LD_LIBRARY_PATH: "/one:/two:/three" } }, library);
    expect(pathsOf(needs)).toEqual({ "liba.so.1": "/three/liba.so.1" });
  });
});

describe("what is told", () => {
  it("names whose need it is, each library once", async () => {
    const files = {
      ...ours(["liba.so.1", "libb.so.1"]),
      "/lib/liba.so.1": elfFile({ needed: ["libb.so.1", "libz.so.1"] }),
      ...theirs("/lib/libb.so.1"),
    };
    const { needs, missing } = await only({ files }, library);
    expect(needs).toEqual([
      { name: "liba.so.1", path: "/lib/liba.so.1", neededBy: "libours.so" },
      { name: "libb.so.1", path: "/lib/libb.so.1", neededBy: "libours.so" },
      { name: "libz.so.1", path: null, neededBy: "liba.so.1" },
    ]);
    expect(missing).toEqual(["libz.so.1"]);
  });

  it("ends for libraries that need each other", async () => {
    const files = {
      ...ours(["liba.so.1"]),
      "/lib/liba.so.1": elfFile({ needed: ["libb.so.1"] }),
      "/lib/libb.so.1": elfFile({ needed: ["liba.so.1"] }),
    };
    expect((await only({ files }, library)).missing).toEqual([]);
  });

  it.each([
    ["nothing", {}, /ENOENT/],
    ["a text", { [library]: "hello" }, /no ELF file/],
    ["half a header", { [library]: elfFile({ needed: [] }).slice(0, 40) }, /no ELF file/],
  ])("says why it cannot be told: %s", async (_what, files, error) => {
    const told = await only({ files }, library);
    expect(told).toMatchObject({ needs: [], missing: [], error: expect.stringMatching(error) });
  });

  it("is nothing on other systems", async () => {
    expect((await only({ platform: "win32", files: ours([]) }, library)).error).toContain("win32");
  });
});

describe("ldconfig's cache", () => {
  it("is read for this processor, and its first entry of a name counts", () => {
    const text = [
      "3 libs found in cache",
      "\tliba.so (libc6) => /lib32/liba.so",
      "\tliba.so (libc6,x86-64) => /first/liba.so",
      "\tliba.so (libc6,x86-64) => /second/liba.so",
      "\tlibb.so (libc6,AArch64) => /arm/libb.so",
      "garbage",
    ].join("\n");
    expect(Object.fromEntries(parseLdconfig(text, "x64"))).toEqual({ "liba.so": "/first/liba.so" });
    expect(Object.fromEntries(parseLdconfig(text, "arm64"))).toEqual({ "libb.so": "/arm/libb.so" });
  });
});
