/**
 * Versioned libraries that misbehave in every way that is known of: this process survives each, says why it was not used, and goes on
 * to the next one. 32 bits and musl are crafted; no second toolchain is needed.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isHalfbyteError } from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { atLoad, compileLibrary, identity, otherFunctions, temporaryFolder } from "../../native/test/stub.js";
import { cudaProvider } from "../src/provider.js";
import { surroundingsOf } from "./machines.js";
import { atAnyLevel, saidAt } from "./said.js";
import { buildInfo, cudaLibrary, failingWith, type Installed, install, noStubs } from "./stub-libraries.js";

beforeEach((context) => {
  if (noStubs) context.skip(noStubs);
  vi.stubEnv("XDG_CACHE_HOME", temporaryFolder());
  atAnyLevel();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const id = "cuda124";
const library = async (before: string): Promise<Installed> => ({ id, body: before + (await cudaLibrary(id)) });

/** Linked against a library of this name, which is gone. */
async function needing(soname: string): Promise<Installed> {
  const folder = temporaryFolder();
  compileLibrary(folder, "int needed(void) { return 1; }", `-Wl,-soname,${soname}`);
  const body = `int needed(void); int use(void) { return needed(); } ${await cudaLibrary(id)}`;
  return { id, body, flags: ["-L", folder, "-Wl,--no-as-needed", "-lstub"] };
}

/** A good library with the header of one of 32 bits. */
async function narrow(): Promise<Installed> {
  const bytes = readFileSync(compileLibrary(temporaryFolder(), await cudaLibrary(id)));
  bytes[4] = 1;
  return { id, body: bytes };
}

const otherAbi = `${identity("7777", buildInfo(id))}${otherFunctions(identity())}`;
const hang = "for (;;) usleep(1000);";

const misbehaving: readonly (readonly [string, () => Promise<Installed>, code: string, words: RegExp])[] = [
  [
    "writes to nowhere in a constructor",
    () => library(atLoad("*(volatile int *)8 = 1;")),
    "LIBRARY_CRASHED",
    /SIGSEGV/,
  ],
  ["lacks a shared library", () => needing("libcudart.so.12"), "LIBRARY_DEPENDENCY_MISSING", /libcudart\.so\.12/],
  [
    "is a text",
    async () => ({ id, body: Buffer.from("<html>404</html>\n") }),
    "LIBRARY_LOAD_FAILED",
    /ELF|header|short/,
  ],
  ["has another ABI", async () => ({ id, body: otherAbi }), "LIBRARY_ABI_MISMATCH", /7777/],
  ["has 32 bits", narrow, "LIBRARY_WRONG_ARCHITECTURE", /32 bits|ia32|another machine/],
  ["is made for musl", () => needing("libc.musl-x86_64.so.1"), "LIBC_MUSL", /libc\.musl/],
  ["hangs while it is loaded", () => library(atLoad(hang)), "LIBRARY_HUNG", /being loaded/],
  ["hangs while it computes", async () => ({ id, body: await cudaLibrary(id, hang) }), "LIBRARY_HUNG", /quantizing/],
  [
    "computes wrongly",
    async () => ({ id, body: await cudaLibrary(id, "codes[9] ^= 1;") }),
    "LIBRARY_WRONG_ANSWER",
    /known/,
  ],
  [
    "is of another backend",
    async () => ({ id, body: (await cudaLibrary(id)).replaceAll('\\"cuda\\"', '\\"cpu\\"') }),
    "LIBRARY_WRONG_KIND",
    /"cpu"/,
  ],
  [
    "was changed after it was built",
    async () => ({ id, body: await cudaLibrary(id), entry: { sha256: "0".repeat(64) } }),
    "LIBRARY_CHANGED",
    /SHA-256/,
  ],
  [
    "finds no kernel image",
    async () => ({ id, body: await failingWith(id, 209) }),
    "CUDA_NO_CODE_FOR_GPU",
    /CUDA error 209/,
  ],
  [
    "has PTX newer than the driver",
    async () => ({ id, body: await failingWith(id, 222) }),
    "CUDA_PTX_TOO_NEW",
    /CUDA error 222/,
  ],
  [
    "was compressed too newly",
    async () => ({ id, body: await failingWith(id, 200) }),
    "CUDA_KERNEL_IMAGE_INVALID",
    /CUDA error 200/,
  ],
  [
    "meets an older driver",
    async () => ({ id, body: await failingWith(id, 35) }),
    "CUDA_DRIVER_TOO_OLD",
    /CUDA error 35.*CUDA 12\.4/,
  ],
  [
    "calls what a newer driver has",
    async () => ({ id, body: await failingWith(id, 36) }),
    "CUDA_DRIVER_TOO_OLD",
    /CUDA error 36/,
  ],
  ["meets a busy GPU", async () => ({ id, body: await failingWith(id, 46) }), "CUDA_DEVICE_BUSY", /CUDA error 46/],
  ["sees no GPU", async () => ({ id, body: await failingWith(id, 100) }), "CUDA_NO_DEVICE", /CUDA error 100/],
  ["has invalid PTX", async () => ({ id, body: await failingWith(id, 218) }), "CUDA_JIT_UNAVAILABLE", /CUDA error 218/],
  [
    "lacks the driver's compiler",
    async () => ({ id, body: await failingWith(id, 221) }),
    "CUDA_JIT_UNAVAILABLE",
    /CUDA error 221/,
  ],
  [
    "meets a system that is not ready",
    async () => ({ id, body: await failingWith(id, 802) }),
    "CUDA_NOT_READY",
    /CUDA error 802/,
  ],
  [
    "meets drivers of two versions",
    async () => ({ id, body: await failingWith(id, 803) }),
    "CUDA_DRIVER_MISMATCH",
    /CUDA error 803/,
  ],
  [
    "meets a cuda-compat it must not use",
    async () => ({ id, body: await failingWith(id, 804) }),
    "CUDA_FORWARD_COMPAT",
    /CUDA error 804/,
  ],
  ["fails in an unknown way", async () => ({ id, body: await failingWith(id, 999) }), "CUDA_FAILED", /CUDA error 999/],
];

/** What hangs is given up after a second; nothing else is measured by the clock, for the machine may be busy. */
const open = (folder: string, code = "") =>
  cudaProvider(
    code === "LIBRARY_HUNG" ? { probeLimitMs: 1000 } : {},
    surroundingsOf({ driver: "12.4", host: "12.4" }, [folder]),
  ).open();

describe("a library that", () => {
  it.each(misbehaving)("%s: the next one is used, and why is said", async (_, make, code, words) => {
    const folder = install(await make(), { id: "cuda118", body: await cudaLibrary("cuda118") });
    const device = await open(folder, code);
    expect(device.tier).toBe("cuda118");
    await device.close();
    const [warning] = saidAt("warn");
    expect(warning).toContain(`(${code})`);
    expect(warning).toMatch(words);
  });

  it.each(misbehaving.filter((_, i) => i % 3 === 0))("%s, and is the only one", async (_, make, code, words) => {
    const folder = install(await make());
    const thrown: unknown = await open(folder, code).catch((error: unknown) => error);
    if (!isHalfbyteError(thrown)) throw new Error("It was opened.");
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(words);
    expect(thrown.message).toContain("libhalfbyte_cuda124.so");
    expect(thrown.remedy).not.toBe("");
  });
});

it("when none works, one error tells what each did, and why others were not tried", async () => {
  const folder = install(
    { id: "cuda118", body: await failingWith("cuda118", 209) },
    await library(atLoad("abort();")),
    { id: "cuda130", body: await cudaLibrary("cuda130") },
  );
  const thrown: unknown = await open(folder).catch((error: unknown) => error);
  expect(thrown).toMatchObject({ code: "CUDA_NO_LIBRARY_FITS" });
  for (const word of [
    "SIGABRT",
    "(LIBRARY_CRASHED)",
    "(CUDA_NO_CODE_FOR_GPU)",
    "cuda130 refused (CUDA_DRIVER_TOO_OLD)",
  ])
    expect((thrown as Error).message).toContain(word);
});

it("an override has no next one", async () => {
  const folder = install(await library(atLoad("abort();")), { id: "cuda118", body: await cudaLibrary("cuda118") });
  const env = { HALFBYTE_CUDA_VERSION: "124" };
  const opening = cudaProvider({}, surroundingsOf({ driver: "12.4" }, [folder], env)).open();
  await expect(opening).rejects.toMatchObject({
    code: "LIBRARY_CRASHED",
    message: expect.stringContaining("HALFBYTE_CUDA_VERSION=124 allows no other"),
  });
});

it("a file that vanished is a candidate like others", async () => {
  const folder = install({ id, body: await cudaLibrary(id) }, { id: "cuda118", body: await cudaLibrary("cuda118") });
  const surroundings = surroundingsOf({ driver: "12.4", host: "12.4" }, [folder]);
  const late = () => {
    const { findLibraries, ...rest } = surroundings();
    return {
      ...rest,
      findLibraries: async (world: Parameters<typeof findLibraries>[0]) => {
        const found = await findLibraries(world);
        rmSync(join(folder, "libhalfbyte_cuda124.so"));
        return found;
      },
    };
  };
  const device = await cudaProvider({}, late).open();
  expect(device.tier).toBe("cuda118");
  await device.close();
});
