/** What a probe that passed is good for, and where none can be made. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { type ProbeOptions, probe } from "../src/probe.js";
import { atLoad, compileLibrary, found, noStubs, temporaryFolder, workingLibrary } from "./stub.js";

let cache: string;
beforeEach(() => {
  cache = temporaryFolder();
  vi.stubEnv("XDG_CACHE_HOME", cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

const options: ProbeOptions = { backend: "cpu", machine: ["a processor", ""] };

/** A library that leaves a line whenever it is loaded, and how often it was. */
async function counted({ skip }: TestContext, more = ""): Promise<{ path: string; loads: () => number }> {
  if (noStubs) skip(noStubs);
  const folder = temporaryFolder();
  const log = join(folder, "loads");
  const count = atLoad(`FILE *log = fopen("${log}", "a"); fputs("x", log); fclose(log); ${more}`);
  const path = compileLibrary(folder, count + (await workingLibrary()));
  return { path, loads: () => (existsSync(log) ? readFileSync(log).length : 0) };
}

describe("a pass", () => {
  it("is remembered", async (context) => {
    const { path, loads } = await counted(context);
    for (let i = 0; i < 3; i++) expect(await probe(found(path), options)).toBeUndefined();
    expect(loads()).toBe(1);
  });

  it.for([
    ["processor, cap or driver", { machine: ["another processor", ""] }],
    ["number of GPUs", { machine: ["a processor", "", ""] }],
  ] as const)("does not count for another %s", async ([, other], context) => {
    const { path, loads } = await counted(context);
    await probe(found(path), options);
    expect(await probe(found(path), { ...options, ...other })).toBeUndefined();
    expect(loads()).toBe(2);
  });

  it("does not count for another device, which is the one that is tried", async (context) => {
    const { path, loads } = await counted(context);
    await probe(found(path), options);
    expect(await probe(found(path), { ...options, device: 1 })).toBeUndefined();
    expect(loads()).toBe(2);
  });

  it("is not remembered where nothing identifies the machine", async (context) => {
    const { path, loads } = await counted(context);
    for (let i = 0; i < 2; i++) expect(await probe(found(path), { ...options, machine: undefined })).toBeUndefined();
    expect(loads()).toBe(2);
  });

  it("does not count for other bytes", async (context) => {
    const { path, loads } = await counted(context);
    await probe(found(path), options);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from("x")]));
    expect(await probe(found(path), options)).toBeUndefined();
    expect(loads()).toBe(2);
  });

  it("is the only thing that is remembered", async (context) => {
    const { path, loads } = await counted(context, "abort();");
    for (let i = 0; i < 2; i++) expect((await probe(found(path), options))?.code).toBe("LIBRARY_CRASHED");
    expect(loads()).toBe(2);
    expect(existsSync(join(cache, "halfbyte", "probe.json"))).toBe(false);
  });

  it("is asked for again when its file is damaged", async (context) => {
    const { path, loads } = await counted(context);
    await probe(found(path), options);
    writeFileSync(join(cache, "halfbyte", "probe.json"), "[");
    expect(await probe(found(path), options)).toBeUndefined();
    expect(loads()).toBe(2);
  });
});

describe("the process that tries", () => {
  it("may be talked over by the library", async (context) => {
    const { path } = await counted(context, 'puts("{\\"step\\":\\"closing\\"}"); fputs("noise", stderr);');
    expect(await probe(found(path), options)).toBeUndefined();
  });

  it("is ended when the caller gives up", async (context) => {
    const { path } = await counted(context, "for (;;) usleep(1000);");
    await expect(probe(found(path), { ...options, signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await expect(probe(found(path), { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });

  it("is Electron acting as Node, where this is Electron", async (context) => {
    const { path } = await counted(context, 'if (!getenv("ELECTRON_RUN_AS_NODE")) abort();');
    expect((await probe(found(path), options))?.code).toBe("LIBRARY_CRASHED");
    stubProcess({ versions: { ...process.versions, electron: "39.0.0" } });
    expect(await probe(found(path), options)).toBeUndefined();
  });
});

/** This process with other properties. */
function stubProcess(changes: object): void {
  vi.stubGlobal("process", Object.create(process, Object.getOwnPropertyDescriptors(changes)));
}

describe("no process can be started", () => {
  const nothing = { path: "/nowhere/lib.so", sha256: "0" };
  const outcome = () => probe(nothing, { ...options, limitMs: 10_000 });

  it("by a single-file build", async () => {
    const getBuiltinModule = (name: string) => (name === "node:sea" ? { isSea: () => true } : undefined);
    for (const changes of [{ pkg: {} }, { getBuiltinModule }]) {
      stubProcess(changes);
      expect(await outcome()).toMatchObject({
        code: "PROBE_UNAVAILABLE",
        message: expect.stringContaining("single-file build"),
      });
    }
  });

  it("by a program that is not Node: it would start itself, over and over", async () => {
    vi.stubEnv("HALFBYTE_PROBE_CHILD", "1");
    expect((await outcome())?.code).toBe("PROBE_UNAVAILABLE");
  });

  it.for(["/bin/true", "/bin/false", "/nowhere/node"])("with %s in place of Node", async (execPath, { skip }) => {
    if (process.platform === "win32") skip("Windows has no such program");
    stubProcess({ execPath });
    expect((await outcome())?.code).toBe("PROBE_UNAVAILABLE");
  });
});
