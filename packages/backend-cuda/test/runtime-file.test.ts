/** Names of CUDA runtimes. */
import { describe, expect, it } from "vitest";
import { cudartVersion, distinctRuntimes, isLibcuda, runtimeAt } from "../src/runtime-file.js";
import { recordedWorld } from "./worlds/index.js";

describe("the version in a name", () => {
  it.each([
    ["libcudart.so.12.4.127", { major: 12, minor: 4 }],
    ["libcudart.so.12", { major: 12 }],
    ["libcudart.so.13", { major: 13 }],
    // The name of the interface of every 11.x.
    ["libcudart.so.11.0", { major: 11 }],
    ["libcudart.so.11.8.89", { major: 11, minor: 8 }],
    ["libcudart.so.10.2", { major: 10, minor: 2 }],
    ["libcudart.so.10.2.89", { major: 10, minor: 2 }],
    ["libcudart-d0da41ae.so.11.0", { major: 11 }],
    ["libcudart.so", "unknown"],
    ["cudart64_110.dll", { major: 11 }],
    ["cudart64_101.dll", { major: 10, minor: 1 }],
    ["cudart64_12.dll", { major: 12 }],
    ["CUDART64_13.DLL", { major: 13 }],
    ["libcudart_static.a", undefined],
    ["libcudart.so.12.4.127.bak", undefined],
    ["libcudart.so.999999999", undefined],
    ["libcublasLt.so.12", undefined],
    ["", undefined],
  ] as const)("%s is %o", (file, version) => expect(cudartVersion(file)).toEqual(version));
});

describe("a runtime", () => {
  it("is known by the file behind its links", async () => {
    const world = recordedWorld({
      files: { "/cuda/lib/libcudart.so.12.4.127": "" },
      links: { "/cuda/lib/libcudart.so.12": "/cuda/lib/libcudart.so.12.4.127" },
    });
    const file = { path: "/cuda/lib/libcudart.so.12.4.127", version: { major: 12, minor: 4 }, loaded: false };
    expect(await runtimeAt(world, "/cuda/lib/libcudart.so.12", false)).toEqual(file);
    expect(await runtimeAt(world, "/gone/libcudart.so.12", false)).toMatchObject({ version: { major: 12 } });
    expect(await runtimeAt(world, "/cuda/lib/libfoo.so", false)).toBeUndefined();
  });

  it("that is loaded goes before the same on disk", () => {
    const [loaded, other] = [
      { path: "/a", loaded: true },
      { path: "/b", loaded: false },
    ];
    expect(distinctRuntimes([other, { path: "/a", loaded: false }, loaded, other])).toEqual([loaded, other]);
  });
});

it.each([
  ["libcuda.so.1", true],
  ["libcuda.so.535.54.03", true],
  ["libcuda.so", true],
  ["nvcuda.dll", true],
  ["libcudart.so.12", false],
  ["libcudadebugger.so.1", false],
])("%s is libcuda: %s", (file, is) => expect(isLibcuda(file)).toBe(is));
