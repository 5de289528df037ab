/** The real machine behind the interface: files, programs and libraries, and their ways to fail. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { cLibrary, loadedLibraries, mappedFiles } from "../src/loaded-libraries.js";
import { nodeWorld } from "../src/node-world.js";

const world = nodeWorld();

function folder(): string {
  const made = mkdtempSync(join(realpathSync(tmpdir()), "halfbyte-world-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe("files", () => {
  it("are read in part, fewer bytes where they end", async () => {
    const path = join(folder(), "file");
    writeFileSync(path, "0123456789");
    expect(Buffer.from(await world.readBytes(path, 3, 4)).toString()).toBe("3456");
    expect(Buffer.from(await world.readBytes(path, 8, 4)).toString()).toBe("89");
    expect(await world.readBytes(path, 20, 4)).toHaveLength(0);
  });

  it("are read to a limit as text", async () => {
    const path = join(folder(), "huge");
    writeFileSync(path, "");
    truncateSync(path, 2 ** 33);
    expect(await world.readText(path)).toHaveLength(1024 * 1024);
  });

  it("that tell no size are read too", async ({ skip }) => {
    if (process.platform !== "linux") skip("/proc is Linux's");
    expect(await world.readText("/proc/self/status")).toContain("Name:");
  });

  it("that are none reject as the system says it", async () => {
    const made = folder();
    await expect(world.readText(join(made, "none"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(world.readText(made)).rejects.toMatchObject({ code: "EISDIR" });
    await expect(world.list(join(made, "none"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("have a path behind their links", async ({ skip }) => {
    if (process.platform === "win32") skip("links need a privilege on Windows");
    const made = folder();
    mkdirSync(join(made, "a"));
    symlinkSync(join(made, "a"), join(made, "b"));
    expect(await world.realPath(join(made, "b"))).toBe(join(made, "a"));
  });
});

describe("programs", () => {
  const node = (script: string, limitMs = 10_000, signal?: AbortSignal) =>
    world.run(process.execPath, ["-e", script], { limitMs, ...(signal && { signal }) });

  it("give what they print and how they end", async () => {
    expect(await node("console.log(1); console.error(2); process.exitCode = 18")).toEqual({
      code: 18,
      stdout: "1\n",
      stderr: "2\n",
    });
    expect(await node("")).toMatchObject({ code: 0, stdout: "" });
  });

  it("that are not there reject", async () => {
    await expect(world.run("/no/such/program", [], { limitMs: 1000 })).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("that hang are ended", async () => {
    await expect(node("setInterval(() => {}, 1000)", 300)).rejects.toThrow("did not answer within 300 ms");
  });

  it("that ignore a polite end are ended too, when the caller gives up", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    await expect(
      node("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)", 60_000, controller.signal),
    ).rejects.toThrow();
  });

  it("are not started through a shell", async () => {
    const { stdout } = await world.run(process.execPath, ["-p", "process.argv[1]", "$(id); `id`"], { limitMs: 10_000 });
    expect(stdout).toBe("$(id); `id`\n");
  });
});

describe("libraries", () => {
  it("that are not there throw with the loader's words", () => {
    expect(() => world.openLibrary("libhalfbyte-is-not-here.so.1")).toThrow(/no such file|not be found|not found/i);
  });

  it("tell the file behind their name", ({ skip }) => {
    if (process.platform !== "linux") skip("the mappings of a process are Linux's");
    const library = world.openLibrary("libc.so.6");
    expect(library.path).toMatch(/^\/.*libc\.so\.6$/);
    expect(library.call("abs", "int", -5)).toBe(5);
    expect(() => library.call("no_such_function", "int", 1)).toThrow();
  });

  it("of this process are listed", ({ skip }) => {
    if (process.platform === "win32") skip("the names differ on Windows");
    expect(loadedLibraries().some((path) => /libc[.-]|libSystem/.test(path))).toBe(true);
    // How other systems tell it.
    expect(loadedLibraries("darwin").length).toBeGreaterThan(0);
  });

  it("are read from mappings, replaced ones and spaces included", () => {
    const maps = [
      "7f1000000000-7f1000001000 r-xp 00000000 08:01 131 /usr/lib/libcuda.so.535.54.03 (deleted)",
      "7f1000001000-7f1000002000 r--p 00001000 08:01 131 /usr/lib/libcuda.so.535.54.03 (deleted)",
      "7f1000002000-7f1000003000 rw-p 00000000 00:00 0 ",
      "7f1000003000-7f1000004000 r-xp 00000000 08:01 132                  /opt/my app/libcudart.so.12",
      "7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0                    [vdso]",
    ].join("\n");
    expect(mappedFiles(maps)).toEqual(["/usr/lib/libcuda.so.535.54.03 (deleted)", "/opt/my app/libcudart.so.12"]);
  });
});

it("knows its C library", ({ skip }) => {
  if (process.platform !== "linux") skip("only Linux has a choice");
  const { kind, version } = cLibrary();
  const reported = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
    .glibcVersionRuntime;
  expect(kind).toBe(reported === undefined ? "musl" : "glibc");
  expect(version).toBe(reported);
  expect(cLibrary("darwin")).toEqual({ kind: "none" });
});
