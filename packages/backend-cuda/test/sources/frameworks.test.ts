/** Frameworks of the application: where they are found, and which CUDA their files tell. */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/examine.js";
import { elfFile } from "../worlds/elf-file.js";
import { onnxruntimeFiles, tensorflowFiles } from "../worlds/pieces.js";
import { type Recording, recordedWorld } from "../worlds/recorded-world.js";

async function frameworksOf(recording: Recording, depth: "quick" | "full" = "quick") {
  const { facts } = await examine(recordedWorld(recording), { depth });
  return facts.frameworks;
}

describe("a framework is found", () => {
  const binaries = (folder: string) => onnxruntimeFiles(folder);

  it.each([
    ["beside the application", "/srv/app/node_modules"],
    ["above the application", "/srv/node_modules"],
    ["at the root", "/node_modules"],
  ])("%s", async (_where, folder) => {
    expect(await frameworksOf({ files: binaries(folder) })).toMatchObject([
      { name: "onnxruntime-node", cuda: { major: 12 } },
    ]);
  });

  it("in pnpm's store, hoisted or not, when a package of the application brought it", async () => {
    for (const entry of [
      "node_modules",
      "onnxruntime-node@1.20.1/node_modules",
      "onnxruntime-node@1.20.1_x@2/node_modules",
    ])
      expect(await frameworksOf({ files: binaries(`/srv/app/node_modules/.pnpm/${entry}`) })).toMatchObject([
        { name: "onnxruntime-node", cuda: { major: 12 }, indirect: true },
      ]);
  });

  it("through a link, nearest first", async () => {
    const far = "/srv/node_modules";
    const recording = {
      files: { ...onnxruntimeFiles("/store/a", "1.22.0"), ...onnxruntimeFiles(far, "1.14.0") },
      links: { "/srv/app/node_modules/onnxruntime-node": "/store/a/onnxruntime-node" },
    };
    expect(await frameworksOf(recording)).toMatchObject([{ version: "1.22.0" }]);
  });

  it("outside Electron's archive", async () => {
    const [inside, outside] = [
      "/opt/app/resources/app.asar/node_modules",
      "/opt/app/resources/app.asar.unpacked/node_modules",
    ];
    const files = { ...onnxruntimeFiles(outside), [`${inside}/onnxruntime-node/package.json`]: '{"version":"1.20.1"}' };
    expect(await frameworksOf({ application: "/opt/app/resources/app.asar", files })).toMatchObject([
      { cuda: { major: 12 } },
    ]);
  });
});

describe("onnxruntime-node", () => {
  const folder = "/srv/app/node_modules/onnxruntime-node";
  const provider = `${folder}/bin/napi-v3/linux/x64/libonnxruntime_providers_cuda.so`;

  it("without its CUDA provider tells so", async () => {
    const { [provider]: _gone, ...files } = onnxruntimeFiles();
    const [framework] = await frameworksOf({ files });
    expect(framework).toMatchObject({ loaded: false, toldBy: expect.stringContaining("no CUDA provider") });
    expect(framework!.cuda).toBeUndefined();
  });

  it.each([
    [["libcublasLt.so.11", "libcudart.so.11.0"], { major: 11 }],
    [["libcudart.so.13"], { major: 13 }],
    [["libcublas.so.12", "libcurand.so.10", "libcufft.so.11"], { major: 12 }],
    [["libcurand.so.10"], undefined],
    [[], undefined],
  ])("that needs %j has CUDA %o", async (needed, cuda) => {
    const files = { ...onnxruntimeFiles(), [provider]: elfFile({ needed }) };
    expect((await frameworksOf({ files }))[0]!.cuda).toEqual(cuda);
  });

  it("of napi-v6 is read alike", async () => {
    const files = Object.fromEntries(
      Object.entries(onnxruntimeFiles()).map(([path, content]) => [path.replace("napi-v3", "napi-v6"), content]),
    );
    expect(await frameworksOf({ files })).toMatchObject([{ cuda: { major: 12 } }]);
  });

  it("with a damaged provider tells what is wrong with it", async () => {
    const files = {
      ...onnxruntimeFiles(),
      [provider]: "not an ELF file, but long enough for a header of one, if it were one",
    };
    expect(await frameworksOf({ files })).toMatchObject([{ toldBy: expect.stringContaining("is no ELF file") }]);
  });

  it("on Windows is found, and its file named", async () => {
    const windows = "C:\\app\\node_modules\\onnxruntime-node";
    const dll = `${windows}\\bin\\napi-v6\\win32\\x64\\onnxruntime_providers_cuda.dll`;
    const there = new Set([`${windows}\\package.json`, dll]);
    const world = recordedWorld(
      { platform: "win32", application: "C:\\app" },
      {
        readText: async (path) => (there.has(path) ? '{"version":"1.22.0"}' : Promise.reject(new Error("ENOENT"))),
        realPath: async (path) => (there.has(path) || path === windows ? path : Promise.reject(new Error("ENOENT"))),
        list: async (path) => (path === `${windows}\\bin` ? ["napi-v6"] : []),
      },
    );
    const { facts } = await examine(world);
    expect(facts.frameworks).toMatchObject([{ version: "1.22.0", toldBy: expect.stringContaining(dll) }]);
  });
});

describe("@tensorflow/tfjs-node-gpu", () => {
  const lib = "/srv/app/node_modules/@tensorflow/tfjs-node-gpu/deps/lib";
  const base = { "/srv/app/node_modules/@tensorflow/tfjs-node-gpu/package.json": '{"version":"4.22.0"}' };

  it.each([
    ["1.15.0", { major: 10, minor: 0 }],
    ["2.3.4", { major: 10, minor: 1 }],
    ["2.4.0", { major: 11, minor: 0 }],
    ["2.9.1", { major: 11, minor: 2 }],
    ["2.11.0", { major: 11, minor: 2 }],
    ["2.14.0", { major: 11, minor: 8 }],
    ["2.15.0", { major: 12, minor: 2 }],
    ["2.19.0", { major: 12, minor: 5 }],
    ["1.2.0", undefined],
  ])("with TensorFlow %s has CUDA %o", async (version, cuda) => {
    const files = { ...base, [`${lib}/libtensorflow.so.${version}`]: "" };
    expect((await frameworksOf({ files }))[0]!.cuda).toEqual(cuda);
  });

  it("without its libraries tells so", async () => {
    expect(await frameworksOf({ files: base })).toMatchObject([
      { toldBy: expect.stringContaining("holds no TensorFlow") },
    ]);
  });

  it("is known by what it opens, where its name and that differ or the name tells nothing", async () => {
    const framework = `${lib}/libtensorflow_framework.so.2`;
    // Across the border of two reads.
    const text = (name: string) => `${"x".repeat(1024 * 1024 - 7)}\0${name}\0`;
    const unnamed = { ...base, [framework]: text("libcudart.so.12") };
    expect((await frameworksOf({ files: unnamed }, "quick"))[0]!.cuda).toBeUndefined();
    expect((await frameworksOf({ files: unnamed }, "full"))[0]!.cuda).toEqual({ major: 12 });
    const other = { ...tensorflowFiles(), [`${lib}/libtensorflow_framework.so.2.9.1`]: text("libcudart.so.12.0") };
    expect((await frameworksOf({ files: other }, "full"))[0]!.cuda).toEqual({ major: 12 });
    expect((await frameworksOf({ files: tensorflowFiles() }, "full"))[0]!.cuda).toEqual({ major: 11, minor: 2 });
  });
});

describe("the framework that counts", () => {
  const both = { ...onnxruntimeFiles(), ...tensorflowFiles() };
  const tensorflow = "/srv/app/node_modules/@tensorflow/tfjs-node-gpu/deps/lib/libtensorflow.so.2.9.1";

  const hostOf = async (recording: Recording) => (await examine(recordedWorld(recording))).facts.host;

  it("is the one that runs in this process", async () => {
    expect(await hostOf({ files: both, loaded: [tensorflow] })).toEqual({
      framework: "@tensorflow/tfjs-node-gpu",
      major: 11,
      minor: 2,
    });
  });

  it("is else the first", async () => {
    expect(await hostOf({ files: both })).toEqual({ framework: "onnxruntime-node", major: 12 });
  });

  it("takes its minor from the runtime that it has loaded, unless that is of another major", async () => {
    const provider = "/srv/app/node_modules/onnxruntime-node/bin/napi-v3/linux/x64/libonnxruntime_providers_cuda.so";
    const withRuntime = (file: string) =>
      hostOf({ files: { ...both, [file]: "" }, loaded: [`${provider} (deleted)`, file] });
    expect(await withRuntime("/cuda/libcudart.so.12.6.77")).toEqual({
      framework: "onnxruntime-node",
      major: 12,
      minor: 6,
    });
    expect(await withRuntime("/cuda/libcudart.so.11.8.89")).toEqual({ framework: "onnxruntime-node", major: 12 });
  });

  it("is nobody by name where only a runtime is loaded", async () => {
    expect(await hostOf({ loaded: ["/cuda/libcudart.so.12.4.127"] })).toEqual({
      framework: "a CUDA runtime of this process",
      major: 12,
      minor: 4,
    });
  });
});
