/** What nvidia-smi, ldconfig and the files of toolkits print in all their ages. */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/examine.js";
import { smiPrograms, smiQuery } from "../worlds/pieces.js";
import { type Recording, recordedWorld } from "../worlds/recorded-world.js";

async function asked(recording: Recording, name: string) {
  const { sources, facts } = await examine(recordedWorld(recording), { depth: "full" });
  return { ...sources.find((source) => source.name === name)!, facts };
}

describe("nvidia-smi", () => {
  const rows = [
    { name: "NVIDIA A100-SXM4-80GB", capability: "8.0", megabytes: 81920, uuid: "GPU-a" },
    { name: "NVIDIA T400, 4GB", capability: "7.5", megabytes: 4096, uuid: "GPU-b" },
  ];

  it("describes one GPU a line, names with commas included", async () => {
    const { facts, value } = await asked({ programs: smiPrograms("550.54.14", "12.4", rows) }, "nvidia-smi");
    expect(value).toBe("driver 550.54.14, CUDA up to 12.4, NVIDIA A100-SXM4-80GB (8.0), NVIDIA T400, 4GB (7.5)");
    expect(facts).toMatchObject({
      kernelDriver: "550.54.14",
      hardware: true,
      gpus: [
        { id: "GPU-a", capability: { major: 8, minor: 0 }, memoryBytes: 81920 * 2 ** 20 },
        { id: "GPU-b", capability: { major: 7, minor: 5 } },
      ],
    });
    // It tells of a driver; without libcuda there is none to use.
    expect(facts.driver).toMatchObject({ code: "CUDA_NO_DRIVER" });
  });

  it("does not stand in for the list of GPUs where some are hidden", async () => {
    const programs = smiPrograms("550.54.14", "12.4", rows);
    const { facts } = await asked({ programs, env: { CUDA_VISIBLE_DEVICES: "1" } }, "nvidia-smi");
    expect(facts.gpus).toBeUndefined();
    expect(facts.hardware).toBe(true);
  });

  it.each([
    ["Failed to initialize NVML: Driver/library version mismatch", 18],
    ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9],
    ["No devices were found", 6],
  ])("that says %j is quoted", async (stdout, code) => {
    const programs = { "nvidia-smi": { code, stdout: `${stdout}\n` }, [`nvidia-smi ${smiQuery}`]: { code, stdout } };
    expect(await asked({ programs }, "nvidia-smi")).toMatchObject({ value: null, error: stdout });
  });

  it("that cannot tell its CUDA version tells the rest", async () => {
    const { value } = await asked({ programs: smiPrograms("535.54.03", "N/A", rows.slice(0, 1)) }, "nvidia-smi");
    expect(value).toBe("driver 535.54.03, NVIDIA A100-SXM4-80GB (8.0)");
  });

  it("whose answer has other lines counts them", async () => {
    const programs = {
      ...smiPrograms("535.54.03", "12.2", []),
      [`nvidia-smi ${smiQuery}`]: { stdout: "what\nis, this\n" },
    };
    expect((await asked({ programs }, "nvidia-smi")).error).toBe("2 lines of its answer describe no GPU");
  });

  it("of Windows is started by its whole path", async () => {
    const program = "D:\\Windows\\System32\\nvidia-smi.exe";
    const { facts } = await asked(
      {
        platform: "win32",
        env: { SystemRoot: "D:\\Windows", Path: "." },
        programs: { "nvidia-smi": { stdout: "an impostor" }, ...smiPrograms("551.61", "12.4", rows, program) },
      },
      "nvidia-smi",
    );
    expect(facts.kernelDriver).toBe("551.61");
  });
});

describe("a toolkit", () => {
  const toolkitsOf = async (recording: Recording) => (await asked(recording, "toolkits")).facts.toolkits;

  it.each([
    ["version.json", '{"cuda":{"name":"CUDA SDK","version":"12.4.1"}}', { major: 12, minor: 4 }],
    ["version.txt", "CUDA Version 10.2.89\nCUDA Patch Version 10.2.1\n", { major: 10, minor: 2 }],
    ["include/cuda.h", "/* x */\n#define CUDA_VERSION 13000\n", { major: 13, minor: 0 }],
  ])("tells its version by %s", async (file, content, version) => {
    const files = { [`/usr/local/cuda-x/${file}`]: content };
    expect(await toolkitsOf({ files, env: { CUDA_HOME: "/usr/local/cuda-x" } })).toEqual([
      { path: "/usr/local/cuda-x", version },
    ]);
  });

  it("is listed once, the named one first", async () => {
    const files = {
      "/usr/local/cuda-11.8/version.json": '{"cuda":{"version":"11.8.0"}}',
      "/usr/local/cuda-12.4/version.json": '{"cuda":{"version":"12.4.0"}}',
      "/usr/local/cuda-12.4/bin/nvcc": "",
      "/usr/local/cudnn/version.json": '{"cuda":{"version":"1.0"}}',
    };
    const env = { CUDA_PATH: "/usr/local/cuda", PATH: "/usr/local/cuda-12.4/bin:relative" };
    expect(await toolkitsOf({ files, env, links: { "/usr/local/cuda": "/usr/local/cuda-12.4" } })).toEqual([
      { path: "/usr/local/cuda-12.4", version: { major: 12, minor: 4 } },
      { path: "/usr/local/cuda-11.8", version: { major: 11, minor: 8 } },
    ]);
  });

  it("may be of unknown version, but needs a compiler then", async () => {
    const files = { "/opt/a/bin/nvcc": "", "/opt/b/lib/libcudart.so": "", "/home/me/bin/nvcc": "#!/bin/sh" };
    expect(await toolkitsOf({ files, env: { CUDA_HOME: "/opt/a", CUDA_PATH: "/opt/b" } })).toEqual([
      { path: "/opt/a" },
    ]);
    // A script of that name on the path is no toolkit.
    expect(await toolkitsOf({ files, env: { PATH: "/home/me/bin" } })).toEqual([]);
  });
});

describe("what could be loaded", () => {
  it("is listed by ldconfig, links followed, other processors' libraries included", async () => {
    const stdout =
      "3 libs found in cache `/etc/ld.so.cache'\n" +
      "\tlibcudart.so.12 (libc6,x86-64) => /a/libcudart.so.12\n" +
      "\tlibcudart.so.11.0 (libc6,x86-64, hwcap: 0x2) => /b/libcudart.so.11.0\n" +
      "\tlibcuda.so.1 (libc6,x86-64) => /c/libcuda.so.1\n";
    const files = { "/a/libcudart.so.12.4.127": "" };
    const links = { "/a/libcudart.so.12": "/a/libcudart.so.12.4.127" };
    const { facts, value } = await asked(
      { files, links, programs: { "/usr/sbin/ldconfig -p": { stdout } } },
      "ldconfig",
    );
    expect(facts.runtimes.map(({ version }) => version)).toEqual([{ major: 12, minor: 4 }, { major: 11 }]);
    expect(value).toContain("libcuda /c/libcuda.so.1");
  });

  it("is what the search path holds; of Windows in any spelling", async () => {
    const { facts } = await asked(
      { platform: "win32", env: { Path: "C:\\CUDA\\bin;relative;C:\\gone" } },
      "library search path",
    );
    expect(facts.runtimes).toEqual([]);
    const world = recordedWorld(
      { platform: "win32", env: { Path: "C:\\CUDA\\bin;relative;C:\\gone" } },
      {
        list: async (folder) =>
          folder === "C:\\CUDA\\bin" ? ["cudart64_12.dll", "nvcuda.dll", "x.dll"] : Promise.reject(new Error("ENOENT")),
      },
    );
    const { sources } = await examine(world, { depth: "full" });
    expect(sources.find(({ name }) => name === "library search path")!.value).toBe(
      "libcudart 12.x (C:\\CUDA\\bin\\cudart64_12.dll); libcuda C:\\CUDA\\bin\\nvcuda.dll",
    );
  });
});
