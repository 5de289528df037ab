/** Examining as a whole: depth, platforms, time, and a caller who gives up. */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { examine } from "../src/examine.js";
import { nodeWorld } from "../src/node-world.js";
import { bareMetal, recordedWorld } from "./worlds/index.js";

describe("examine", () => {
  it("asks quickly for what is in this process and in small files", async () => {
    const programs = new Set<string>();
    const run = (program: string) => {
      programs.add(program);
      return Promise.reject(new Error("no program is started"));
    };
    const { sources, facts } = await examine(recordedWorld(bareMetal, { run, listDevices: () => run("child") }));
    expect([...programs]).toEqual([]);
    expect(facts.gpus).toBeUndefined();
    expect(sources.map(({ name }) => name)).toEqual([
      "system",
      "libcuda",
      "loaded libraries",
      "onnxruntime-node",
      "@tensorflow/tfjs-node-gpu",
      "kernel driver",
      "PCI bus",
      "container variables",
    ]);
  });

  it.each(["darwin", "freebsd"] as const)("knows at once that %s has no CUDA", async (platform) => {
    const unused = () => {
      throw new Error("nobody is asked");
    };
    const world = recordedWorld(
      { platform },
      { readText: unused, openLibrary: unused, list: unused, realPath: unused },
    );
    const { facts, sources } = await examine(world, { depth: "full" });
    expect(facts).toMatchObject({ driver: { code: "CUDA_PLATFORM_UNSUPPORTED" }, hardware: false, frameworks: [] });
    expect(sources).toHaveLength(1);
  });

  it("ends when the caller gives up, and says so", async () => {
    const controller = new AbortController();
    const never = () => new Promise<never>(() => undefined);
    const world = recordedWorld(bareMetal, { run: never, listDevices: never, loadedLibraries: never });
    const examining = examine(world, { depth: "full", signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    const { facts, sources } = await examining;
    expect(facts.driver).toMatchObject({ code: "ABORTED" });
    expect(sources.find(({ name }) => name === "nvidia-smi")).toMatchObject({ value: null, error: "It was aborted." });
  });

  it("starts nothing for a caller who has given up already", async () => {
    const asked: string[] = [];
    const world = recordedWorld(bareMetal, {
      readText: async (path) => {
        asked.push(path);
        return "";
      },
    });
    const { facts } = await examine(world, { depth: "full", signal: AbortSignal.abort() });
    expect(facts.driver).toMatchObject({ code: "ABORTED" });
    expect(asked).toEqual([]);
  });

  it("listens once to the caller, and not any more afterwards", async () => {
    const { signal } = new AbortController();
    const counts: number[] = [];
    const loadedLibraries = async () => {
      counts.push(getEventListeners(signal, "abort").length);
      return [];
    };
    await examine(recordedWorld(bareMetal, { loadedLibraries }), { depth: "full", signal });
    expect([...counts, getEventListeners(signal, "abort").length]).toEqual([1, 0]);
  });

  it("tells a source that it was cut off", async () => {
    let told: AbortSignal | undefined;
    const world = recordedWorld(bareMetal, {
      run: (_program, _args, { signal }) => {
        told = signal;
        return new Promise(() => undefined);
      },
    });
    await examine(world, { depth: "full", limitMs: 50 });
    expect(told!.aborted).toBe(true);
  });

  it("asks all sources at once", async () => {
    let [running, most] = [0, 0];
    const slow = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 100));
      running--;
      throw new Error("nothing");
    };
    await examine(recordedWorld(bareMetal, { run: slow, listDevices: slow, loadedLibraries: slow }), { depth: "full" });
    // Both lists of GPUs, nvidia-smi, ldconfig and the libraries of this process.
    expect(most).toBe(5);
  });
});

describe("this machine", () => {
  it.each(["quick", "full"] as const)("is examined (%s) without a throw", async (depth) => {
    const { facts, sources } = await examine(nodeWorld(), { depth });
    expect(facts.system).toMatchObject({ platform: process.platform, arch: process.arch, node: process.versions.node });
    expect("code" in facts.driver || facts.driver.major > 0).toBe(true);
    expect(sources.length).toBeGreaterThan(0);
  });
});
