/** Every source with its inputs missing, unreadable, hanging and lying: the others stay as they were, and nothing gets out of hand. */
import { describe, expect, it } from "vitest";
import { examine } from "../src/examine.js";
import type { Examination } from "../src/machine-facts.js";
import { bareMetal, brokenMix, docker, jetson, type Recording, recordedWorld, wsl2 } from "./worlds/index.js";
import { type Inputs, tampered } from "./worlds/tampering.js";

interface Case extends Inputs {
  readonly recording: Recording;
  /** What the honest source says. */
  readonly honest: RegExp;
  /** Why it cannot. */
  readonly cannotHang?: string;
  /** What it says of a machine that has nothing of it. */
  readonly without?: string;
  /** Where there is no telling missing from unreadable. */
  readonly lenient?: true;
}

const cases: Readonly<Record<string, Case>> = {
  system: {
    recording: wsl2,
    paths: /^\/(?:dev\/dxg|proc\/version)$/,
    honest: /wsl2/,
    without: "bare metal",
    lenient: true,
  },
  libcuda: {
    recording: bareMetal,
    libraries: /libcuda/,
    honest: /^12\.2/,
    cannotHang: "a call on this thread cannot be cut off; what may hang is asked in another process",
  },
  "GPUs (CUDA)": { recording: bareMetal, lists: "cuda", honest: /RTX 3090 \(8\.6\)/ },
  "loaded libraries": { recording: docker, loaded: true, honest: /libcudart 12\.1/ },
  "onnxruntime-node": { recording: bareMetal, paths: /onnxruntime-node/, honest: /1\.20\.1, CUDA 12/, lenient: true },
  "@tensorflow/tfjs-node-gpu": { recording: wsl2, paths: /tfjs-node-gpu/, honest: /CUDA 11\.2/, lenient: true },
  NVML: { recording: bareMetal, lists: "nvml", honest: /535\.54\.03/ },
  "kernel driver": { recording: jetson, paths: /^\/(?:sys\/module|proc\/driver)\/nvidia/, honest: /540\.3\.0 \(open/ },
  "PCI bus": { recording: bareMetal, paths: /^\/sys\/bus\/pci/, honest: /0000:01:00\.0/, lenient: true },
  "nvidia-smi": { recording: bareMetal, programs: /nvidia-smi/, honest: /535\.54\.03/, lenient: true },
  "container variables": {
    recording: docker,
    variables: /CUDA|NVIDIA/,
    honest: /12\.4\.1/,
    cannotHang: "variables are there at once",
    lenient: true,
  },
  toolkits: { recording: bareMetal, paths: /^\/usr\/local/, honest: /12\.1/, lenient: true },
  ldconfig: { recording: bareMetal, programs: /ldconfig/, honest: /12\.1/ },
  "library search path": {
    recording: brokenMix,
    paths: /^\/usr\/local\/cuda.*(?:lib64|stubs)$/,
    honest: /11\.8/,
    lenient: true,
  },
};

const lies = {
  nothing: "",
  "white space": " \t\n \n",
  "binary junk": "\u0000\u0001\u007fELF\u0002\ufffd\u0000",
  "a negative number": "-5",
  "a huge number": "99999999999999999999",
  "no number": "NaN",
  null: "null",
  "an array": "[[[]]]",
  "10 MB of one letter": "A".repeat(10_000_000),
  "10 MB of lines": "libcuda\n".repeat(1_250_000),
  "1 MB of commas": ",".repeat(1_000_000),
  "1 MB of spaces": " ".repeat(1_000_000),
  "many open brackets": "{".repeat(1_000_000),
  "a terminal's commands": "535.54.03\u001b[31m\u001b]0;title\u0007 12.4",
  "JSON of other types":
    '{"cuda":{"version":-3},"version":{},"device":[],"count":"2","versions":7,"failed":{"status":"x"}}',
  "JSON of wild values":
    '{"device":{"major":1e99,"minor":-1,"memoryBytes":-1,"name":"\\u001b[2J","id":{}},"count":1e9,"failed":{"call":"a\\nb","status":0.5}}',
  "a contradiction":
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  9.9  Release\nDriver Version: 1 CUDA Version: 99.9",
  "paths out of the folder": "../../../etc/passwd\n/proc/self/mem",
  "wrong cells": "535.54.03, 99.99, -4, , \n535.54.03\nRTX, 1, 2, 3, 4, 5, 6",
} as const;

/** For those who never answer. */
const shortLimitMs = 300;

/** The whole of it can be printed, sent and believed. */
function expectSound({ sources, facts }: Examination): void {
  for (const { value, error, usedFor, ignoredBecause } of sources)
    for (const text of [value, error, usedFor, ignoredBecause]) {
      expect((text ?? "").length).toBeLessThanOrEqual(600);
      expect(text ?? "").not.toMatch(/\p{Cc}/u);
    }
  expect(JSON.stringify({ sources, facts }).length).toBeLessThan(40_000);
  for (const { capability, memoryBytes = 1 } of facts.gpus ?? []) {
    expect(capability.major).toBeGreaterThan(0);
    expect(memoryBytes).toBeGreaterThan(0);
  }
  if ("major" in facts.driver) expect(facts.driver.major).toBeLessThan(100);
  else
    expect(facts.driver).toMatchObject({
      message: expect.not.stringMatching(/\p{Cc}/u),
      remedy: expect.stringMatching(/./),
    });
}

describe.each(Object.entries(cases))("%s", (name, source) => {
  const { recording, honest, cannotHang, without = null, lenient } = source;
  const examineWith = async (how: Parameters<typeof tampered>[2]) => {
    const world = tampered(recordedWorld(recording), source, how);
    const limit = how === "hanging" ? { limitMs: shortLimitMs } : {};
    const examination = await examine(world, { depth: "full", ...limit });
    expectSound(examination);
    const others = examination.sources
      .filter((other) => other.name !== name)
      .map(({ name: other, value }) => [other, value]);
    return { ...examination, mine: examination.sources.find((each) => each.name === name)!, others };
  };
  const untampered = async () => examine(recordedWorld(recording), { depth: "full" });

  it("is recorded", async () => {
    const { sources } = await untampered();
    expect(sources.find((each) => each.name === name)).toMatchObject({ value: expect.stringMatching(honest) });
  });

  it("may be missing", async () => {
    const { mine } = await examineWith("missing");
    expect(mine.value).toBe(without);
    if (source.lists === undefined && !source.loaded) expect(mine.error).toBeUndefined();
  });

  it("may be unreadable", async () => {
    const { mine, facts } = await examineWith("unreadable");
    expect(mine.value).toBe(without);
    if (!lenient) expect(mine.error).toBeDefined();
    expect(facts.system.platform).toBe("linux");
  });

  it("may hang", async ({ skip }) => {
    if (cannotHang) skip(cannotHang);
    const { mine, others } = await examineWith("hanging");
    expect(mine).toMatchObject({ value: null, error: `It did not answer within ${shortLimitMs} ms.` });
    // Two sources read the packages of the application; otherwise nobody else is disturbed.
    expect(others.filter(([, value]) => value !== null).length).toBeGreaterThan(2);
  });

  it.each(Object.entries(lies))("may say %s", async (_what, lying) => {
    const { facts } = await examineWith({ lying });
    expect(facts.system.platform).toBe("linux");
  });
});

describe("a machine without any of them", () => {
  it("has a reason, and sources that say so", async () => {
    const fails = () => Promise.reject(new Error("nothing works"));
    const openLibrary = () => {
      throw new Error("nothing works");
    };
    const files = { readText: fails, readBytes: fails, list: fails, realPath: fails };
    const world = recordedWorld({}, { ...files, run: fails, openLibrary, listDevices: fails, loadedLibraries: fails });
    const examination = await examine(world, { depth: "full" });
    expectSound(examination);
    expect(examination.facts.driver).toMatchObject({ code: "CUDA_NO_DRIVER" });
    expect(examination.sources).toHaveLength(14);
  });
});
