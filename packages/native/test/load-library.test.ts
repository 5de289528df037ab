/** What is not a library of ours is refused with its reason, and the next candidate is tried. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { isHalfbyteError } from "@halfbyte/core";
import { afterEach, describe, expect, it, type TestContext } from "vitest";
import { abiVersion } from "../src/abi.js";
import { parseBuildInfo } from "../src/build-info.js";
import { libraryCandidates, libraryError, libraryFile, loadLibrary } from "../src/load-library.js";
import { compileLibrary, compiler, identity, noCompiler, temporaryFolder } from "./stub.js";

const isLinux = process.platform === "linux";

/** The error of loading this one file. */
function refusalOf(path: string) {
  try {
    loadLibrary("cpu", [{ path }]);
  } catch (thrown) {
    if (isHalfbyteError(thrown)) return thrown;
    throw thrown;
  }
  throw new Error(`${path} was loaded.`);
}

describe("files that are no library", () => {
  it("a missing one", () => {
    const [candidate] = libraryCandidates("libnothing.so", [temporaryFolder()]);
    expect(candidate?.refusal).toMatchObject({ code: "LIBRARY_NOT_FOUND" });
    expect(candidate?.refusal?.message).toContain("libnothing.so");
  });

  it("a folder of that name", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "libfolder.so"));
    expect(libraryCandidates("libfolder.so", [folder])[0]?.refusal?.code).toBe("LIBRARY_NOT_FOUND");
  });

  it("a text", () => {
    const path = join(temporaryFolder(), "libtext.so");
    writeFileSync(path, "This is not a library, whatever its name says.\n".repeat(100));
    expect(refusalOf(path)).toMatchObject({ code: "LIBRARY_LOAD_FAILED", details: { found: path, expected: "cpu" } });
  });

  it("an empty file", () => {
    const path = join(temporaryFolder(), "libempty.so");
    writeFileSync(path, "");
    expect(refusalOf(path).code).toBe("LIBRARY_LOAD_FAILED");
  });

  it("a library of another machine", (context) => {
    const path = join(temporaryFolder(), "libother.so");
    writeFileSync(path, elfOfAnotherMachine(context));
    expect(refusalOf(path).code).toBe("LIBRARY_LOAD_FAILED");
  });

  it("one that ends early, wherever that is", ({ skip }) => {
    if (!isLinux || !compiler) skip(compiler ? "stubs are built on Linux" : noCompiler);
    const folder = temporaryFolder();
    const bytes = readFileSync(compileLibrary(folder, identity("HB_ABI_VERSION", '{"backend":"cpu"}')));
    for (const end of [1, 3, 4, 20, 63, 64, 200, 1000, bytes.length >> 1, bytes.length - 100, bytes.length - 1]) {
      const path = join(folder, `libtruncated${end}.so`);
      writeFileSync(path, bytes.subarray(0, end));
      expect(refusalOf(path).code, `${end} bytes`).toBe("LIBRARY_LOAD_FAILED");
    }
  });
});

/** This Node's own header with the number of another machine. */
function elfOfAnotherMachine({ skip }: TestContext): Uint8Array {
  const bytes = new Uint8Array(readFileSync(process.execPath).subarray(0, 1 << 16));
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45) skip("executables of this system are not ELF");
  const machine = 18;
  bytes[machine] = bytes[machine] === 183 ? 62 : 183;
  return bytes;
}

describe("libraries that answer wrongly", () => {
  const stub = (context: TestContext, body: string): string => {
    if (!isLinux || !compiler) context.skip(compiler ? "stubs are built on Linux" : noCompiler);
    return compileLibrary(temporaryFolder(), body);
  };

  it("one that is not ours", (context) => {
    expect(refusalOf(stub(context, "int other(void) { return 1; }")).code).toBe("LIBRARY_WRONG_KIND");
  });

  it("another version of the ABI", (context) => {
    const error = refusalOf(stub(context, identity("HB_ABI_VERSION + 1", '{"backend":"cpu"}')));
    expect(error.code).toBe("LIBRARY_ABI_MISMATCH");
    expect(error.message).toContain(`ABI version ${abiVersion + 1}; this package needs ${abiVersion}`);
  });

  it("the right version without the functions", (context) => {
    const error = refusalOf(stub(context, identity("HB_ABI_VERSION", '{"backend":"cpu"}')));
    expect(error.code).toBe("LIBRARY_ABI_MISMATCH");
    expect(error.message).toContain("hb_queue_create");
  });

  it("the library of another backend", (context) => {
    const error = refusalOf(stub(context, identity("HB_ABI_VERSION", '{"backend":"cuda"}')));
    expect(error.code).toBe("LIBRARY_WRONG_KIND");
    expect(error.message).toContain('"cuda"');
  });

  it("a build info that is no JSON", (context) => {
    expect(refusalOf(stub(context, identity("HB_ABI_VERSION", "cpu"))).code).toBe("LIBRARY_WRONG_KIND");
  });

  it("every refusal is told, the first telling one decides", (context) => {
    const path = stub(context, identity("7", "{}"));
    const error = libraryErrorOf([
      { path: "/nowhere/liba.so", code: "LIBRARY_NOT_FOUND", message: "/nowhere/liba.so does not exist.", remedy: "" },
      { path, code: "LIBRARY_ABI_MISMATCH", message: `${path} has ABI version 7.`, remedy: "Build it." },
    ]);
    expect(error).toMatchObject({ code: "LIBRARY_ABI_MISMATCH", remedy: "Build it.", details: { found: path } });
    expect(error.message).toContain("/nowhere/liba.so");
    expect(error.message).toContain("ABI version 7");
  });

  const libraryErrorOf = (refused: Parameters<typeof libraryError>[1]) =>
    libraryError("cpu", refused, "Look elsewhere.");
});

describe("where a library may lie", () => {
  const variable = "HALFBYTE_LIBRARY_PATH";
  const before = process.env[variable];
  afterEach(() => {
    if (before === undefined) delete process.env[variable];
    else process.env[variable] = before;
  });

  const withFile = (file: string): string => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, file), "");
    return folder;
  };

  it("the package's own folder comes first", () => {
    const [own, other] = [withFile("liba.so"), withFile("liba.so")];
    process.env[variable] = [other, ""].join(delimiter);
    expect(libraryCandidates("liba.so", [own])).toEqual([
      { path: join(own, "liba.so") },
      { path: join(other, "liba.so") },
    ]);
  });

  it("relative entries are refused", () => {
    process.env[variable] = [".", "build"].join(delimiter);
    const codes = libraryCandidates("liba.so", []).map(({ refusal }) => refusal?.code);
    expect(codes).toEqual(["LIBRARY_PATH_REFUSED", "LIBRARY_PATH_REFUSED"]);
  });

  it("a folder that everybody can write to is refused, and so is such a file", ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const [open, closed] = [withFile("liba.so"), withFile("liba.so")];
    chmodSync(open, 0o777);
    chmodSync(join(closed, "liba.so"), 0o666);
    process.env[variable] = [open, closed].join(delimiter);
    const codes = libraryCandidates("liba.so", []).map(({ refusal }) => refusal?.code);
    expect(codes).toEqual(["LIBRARY_PATH_REFUSED", "LIBRARY_PATH_REFUSED"]);
  });

  it("a link leads to no file that everybody can write to", ({ skip }) => {
    if (process.platform === "win32") skip("Windows has no such permission bits");
    const [folder, elsewhere] = [temporaryFolder(), withFile("liba.so")];
    chmodSync(join(elsewhere, "liba.so"), 0o666);
    symlinkSync(join(elsewhere, "liba.so"), join(folder, "liba.so"));
    process.env[variable] = folder;
    expect(libraryCandidates("liba.so", [])[0]?.refusal?.code).toBe("LIBRARY_PATH_REFUSED");
  });

  it("a copy in the current folder is not looked at", () => {
    const folder = withFile("liba.so");
    copyFileSync(join(folder, "liba.so"), join(folder, "libb.so"));
    const cwd = process.cwd();
    try {
      process.chdir(folder);
      delete process.env[variable];
      expect(libraryCandidates("liba.so", [])).toEqual([]);
      expect(libraryError("cpu", [])).toMatchObject({ code: "LIBRARY_NOT_FOUND" });
    } finally {
      process.chdir(cwd);
    }
  });

  it("has the system's file name", () => {
    expect(["linux", "darwin", "win32"].map((system) => libraryFile("hb", system as NodeJS.Platform))).toEqual([
      "libhb.so",
      "libhb.dylib",
      "libhb.dll",
    ]);
  });
});

describe("build info", () => {
  it("keeps what it knows and fills what is missing", () => {
    expect(
      parseBuildInfo('{"backend":"cpu","isa":"avx2","isas":["scalar","avx2"],"kernels":{"gemm":"scalar"}}'),
    ).toEqual({
      backend: "cpu",
      version: "unknown",
      compiler: "unknown",
      isas: ["scalar", "avx2"],
      isa: "avx2",
      kernels: { gemm: "scalar" },
    });
  });

  it.each(["", "null", "[]", "3", '{"isa":"avx2"}', '{"backend":1}'])("refuses %j", (text) => {
    expect(parseBuildInfo(text)).toBeUndefined();
  });
});
