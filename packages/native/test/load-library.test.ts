/** No library, whatever it does, takes this process down: it is refused with its reason, and the next candidate is used. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { halfbyteError, isHalfbyteError } from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { type LoadOptions, libraryError, loadLibrary } from "../src/load-library.js";
import { reasonOf } from "../src/reason.js";
import {
  atLoad,
  compileLibrary,
  found,
  identity,
  noStubs,
  otherFunctions,
  temporaryFolder,
  workingLibrary,
} from "./stub.js";

beforeEach(() => void vi.stubEnv("XDG_CACHE_HOME", temporaryFolder()));
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const options: LoadOptions = { backend: "cpu", machine: [] };

/** The error of loading this one file. */
async function refusalOf(path: string, given: Partial<LoadOptions> = {}) {
  const thrown: unknown = await loadLibrary([found(path)], { ...options, ...given }).catch((error: unknown) => error);
  if (isHalfbyteError(thrown)) return thrown;
  throw new Error(`${path} was loaded.`);
}

function stub(context: TestContext, body: string, ...flags: readonly string[]): string {
  if (noStubs) context.skip(noStubs);
  return compileLibrary(temporaryFolder(), body, ...flags);
}

describe("files that are no library", () => {
  it.each([
    ["a text", "This is not a library, whatever its name says.\n".repeat(100)],
    ["an empty file", ""],
  ])("%s", async (_, text) => {
    const path = join(temporaryFolder(), "libtext.so");
    writeFileSync(path, text);
    const details = { found: path, expected: "cpu" };
    expect(await refusalOf(path)).toMatchObject({ code: "LIBRARY_LOAD_FAILED", details });
  });

  it("a library of another machine", async (context) => {
    const path = join(temporaryFolder(), "libother.so");
    writeFileSync(path, elfOfAnotherMachine(context));
    const error = await refusalOf(path);
    expect(error.code).toBe("LIBRARY_WRONG_ARCHITECTURE");
    expect(error.message).toContain(`this process is ${process.arch}`);
  });

  it("one of 32 bits", async (context) => {
    const path = stub(context, identity());
    const bytes = readFileSync(path);
    bytes[4] = 1;
    writeFileSync(path, bytes);
    expect((await refusalOf(path)).code).toBe("LIBRARY_WRONG_ARCHITECTURE");
  });

  it("one that ends early, wherever that is", async (context) => {
    const bytes = readFileSync(stub(context, identity()));
    const folder = temporaryFolder();
    for (const end of [1, 3, 4, 20, 63, 64, 200, 1000, bytes.length >> 1, bytes.length - 100, bytes.length - 1]) {
      const path = join(folder, `libtruncated${end}.so`);
      writeFileSync(path, bytes.subarray(0, end));
      expect((await refusalOf(path)).code, `${end} bytes`).toBe("LIBRARY_LOAD_FAILED");
    }
  });

  it("one that needs a library which is not there", async (context) => {
    const error = await refusalOf(needing(context, "libneeded.so"));
    expect(error).toMatchObject({
      code: "LIBRARY_DEPENDENCY_MISSING",
      message: expect.stringContaining("libneeded.so"),
    });
  });
});

it("a library for another C library says so", async (context) => {
  const error = await refusalOf(needing(context, "libc.musl-x86_64.so.1"));
  expect(error).toMatchObject({ code: "LIBC_MUSL", remedy: expect.stringContaining("glibc") });
});

/** This Node's own header with the number of another machine. */
function elfOfAnotherMachine({ skip }: TestContext): Uint8Array {
  const bytes = new Uint8Array(readFileSync(process.execPath).subarray(0, 1 << 16));
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45) skip("executables of this system are not ELF");
  const machine = 18;
  bytes[machine] = bytes[machine] === 183 ? 62 : 183;
  return bytes;
}

/** A library linked against another one, which is gone by now. */
function needing(context: TestContext, soname: string): string {
  const folder = temporaryFolder();
  const needed = stub(context, "int needed(void) { return 1; }", `-Wl,-soname,${soname}`);
  renameSync(needed, join(folder, "libneeded.so"));
  const user = "int needed(void); int use(void) { return needed(); }";
  const path = stub(context, user, "-L", folder, "-Wl,--no-as-needed", "-lneeded");
  rmSync(folder, { recursive: true });
  return path;
}

describe("libraries that answer wrongly", () => {
  it("one that is not ours", async (context) => {
    const path = stub(context, "int other(void) { return 1; }");
    expect((await refusalOf(path)).code).toBe("LIBRARY_WRONG_KIND");
  });

  it("another version of the ABI, of which nothing else is called", async (context) => {
    const error = await refusalOf(stub(context, `${identity("7777").replace('return "', 'abort(); return "')}`));
    expect(error.code).toBe("LIBRARY_ABI_MISMATCH");
    expect(error.message).toContain("ABI version 7777; this package needs");
  });

  it("the right version without one of the functions", async (context) => {
    const all = identity() + otherFunctions(identity());
    const error = await refusalOf(stub(context, all.replace("hb_int8_mm_dequant(", "hb_renamed(")));
    expect(error.code).toBe("LIBRARY_ABI_MISMATCH");
    expect(error.message).toContain("hb_int8_mm_dequant");
  });

  it("the library of another backend", async (context) => {
    const error = await refusalOf(stub(context, (await workingLibrary()).replace('\\"cpu\\"', '\\"cuda\\"')));
    expect(error.code).toBe("LIBRARY_WRONG_KIND");
    expect(error.message).toContain('"cuda"');
  });

  it("a build info that is no JSON", async (context) => {
    const body = identity("HB_ABI_VERSION", "cpu");
    expect((await refusalOf(stub(context, body + otherFunctions(body)))).code).toBe("LIBRARY_WRONG_KIND");
  });

  it.for(["codes[70] ^= 1;", "absmax[2] += 1;", "return HB_FAILED;"])(
    "a known answer spoiled by %s",
    async (mistake, context) => {
      expect((await refusalOf(stub(context, await workingLibrary(mistake)))).code).toBe("LIBRARY_WRONG_ANSWER");
    },
  );
});

describe("the device's own error", () => {
  const failing = async (context: TestContext): Promise<string> =>
    stub(context, `${await workingLibrary("return HB_FAILED;")} int32_t hb_last_error(void) { return 209; }`);

  it("stands beside the status", async (context) => {
    expect((await refusalOf(await failing(context))).message).toContain("status 4, error 209");
  });

  it("is explained by who knows it", async (context) => {
    const explain = (error: number) =>
      reasonOf("CUDA_NO_CODE_FOR_GPU", `CUDA says ${error}: no kernel image.`, "Another library.");
    expect(await refusalOf(await failing(context), { explain })).toMatchObject({
      code: "CUDA_NO_CODE_FOR_GPU",
      message: expect.stringContaining("CUDA says 209: no kernel image."),
      remedy: "Another library.",
    });
  });

  it("is not asked for by other failures", async (context) => {
    const body = `${await workingLibrary("codes[0] ^= 1;")} int32_t hb_last_error(void) { return 209; }`;
    expect((await refusalOf(stub(context, body))).message).not.toContain("209");
  });
});

describe("libraries that end or stop their process", () => {
  const hang = "for (;;) usleep(1000);";

  it.for([
    ["a write to nowhere", "*(volatile int *)8 = 1;", "SIGSEGV"],
    ["abort()", "abort();", "SIGABRT"],
    ["an illegal instruction", "__builtin_trap();", /SIG(ILL|TRAP)/],
    ["a failing exit()", "_exit(3);", "code 3"],
    ["a good exit()", "_exit(0);", "code 0"],
  ] as const)("%s while it is loaded", async ([, statements, how], context) => {
    const error = await refusalOf(stub(context, atLoad(statements) + (await workingLibrary())));
    expect(error).toMatchObject({ code: "LIBRARY_CRASHED", message: expect.stringContaining("being loaded") });
    expect(error.message).toMatch(how);
  });

  it("a crash while it computes, with its last words", async (context) => {
    const path = stub(context, await workingLibrary('fprintf(stderr, "first\\nno such tile\\n"); abort();'));
    const error = await refusalOf(path);
    expect(error).toMatchObject({ code: "LIBRARY_CRASHED", message: expect.stringContaining("quantizing") });
    expect(error.message).toContain('saying "no such tile"');
  });

  it("a crash when its process ends", async (context) => {
    const atExit = "__attribute__((destructor)) static void at_exit() { abort(); }";
    const error = await refusalOf(stub(context, atExit + (await workingLibrary())));
    expect(error).toMatchObject({ code: "LIBRARY_CRASHED", message: expect.stringContaining("being closed") });
  });

  it("a loop while it is loaded; the event loop goes on meanwhile", async (context) => {
    const path = stub(context, atLoad(hang) + (await workingLibrary()));
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    const error = await refusalOf(path, { limitMs: 1000 });
    clearInterval(timer);
    expect(error).toMatchObject({ code: "LIBRARY_HUNG", message: expect.stringContaining("being loaded") });
    expect(turns).toBeGreaterThan(10);
  });

  it("a loop while it computes", async (context) => {
    const error = await refusalOf(stub(context, await workingLibrary(hang)), { limitMs: 1000 });
    expect(error).toMatchObject({ code: "LIBRARY_HUNG", message: expect.stringContaining("quantizing") });
  });
});

describe("the next candidate", () => {
  it("is used, and what came before it is said", async (context) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const [broken, missing] = [stub(context, atLoad("abort();")), join(temporaryFolder(), "libgone.so")];
    const working = stub(context, await workingLibrary());
    const refusal = { code: "LIBRARY_NOT_FOUND", message: `${missing} does not exist.`, remedy: "" };
    const library = await loadLibrary([{ path: missing, refusal }, found(broken), found(working)], options);
    expect(library).toMatchObject({ path: working, build: { backend: "cpu" } });
    expect(library.refused.map(({ code }) => code)).toEqual(["LIBRARY_NOT_FOUND", "LIBRARY_CRASHED"]);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.lastCall?.[0]).toContain("LIBRARY_CRASHED");
    expect(warn.mock.lastCall?.[0]).not.toContain(missing);
  });

  it("is not asked for when one works, and a loaded library stays", async (context) => {
    const path = stub(context, await workingLibrary());
    const first = await loadLibrary([found(path), found(path)], options);
    expect(first.refused).toEqual([]);
    writeFileSync(path, "changed afterwards");
    expect((await loadLibrary([found(path)], options)).functions).toBe(first.functions);
    expect((await refusalOf(path, { backend: "cuda" })).code).toBe("LIBRARY_WRONG_KIND");
  });

  it("when there is none, the caller may say it in its own words", async () => {
    const refusal = { code: "LIBRARY_CHANGED", message: "It was changed.", remedy: "" };
    const noneLeft = (refused: readonly object[]) => halfbyteError("CUDA_NO_LIBRARY_FITS", `${refused.length} refused`);
    const loading = loadLibrary([{ path: "/libs/a.so", refusal }], { ...options, noneLeft });
    await expect(loading).rejects.toMatchObject({ code: "CUDA_NO_LIBRARY_FITS", message: "1 refused" });
  });

  it("when there is none, every refusal is told and the first telling one decides", () => {
    const refused = [
      { path: "/nowhere/liba.so", code: "LIBRARY_NOT_FOUND", message: "/nowhere/liba.so does not exist.", remedy: "" },
      { path: "/libb.so", code: "LIBRARY_ABI_MISMATCH", message: "/libb.so has ABI version 7.", remedy: "Build it." },
    ];
    const error = libraryError("cpu", refused, "Look elsewhere.");
    const details = { found: "/libb.so", expected: "cpu" };
    expect(error).toMatchObject({ code: "LIBRARY_ABI_MISMATCH", remedy: "Build it.", details });
    expect(error.message).toContain("/nowhere/liba.so");
    expect(error.message).toContain("ABI version 7");
    expect(libraryError("cpu", [])).toMatchObject({ code: "LIBRARY_NOT_FOUND" });
  });
});
