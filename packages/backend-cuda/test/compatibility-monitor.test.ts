/** The monitor on a machine that changes under it: what it says, how often it looks, and how it ends. */
import type { HalfbyteError } from "@halfbyte/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CompatibilityChange } from "../src/compatibility-change.js";
import {
  type Inspection,
  type MonitorOptions,
  type MonitorSample,
  PollingMonitor,
  standingOf,
} from "../src/compatibility-monitor.js";
import type { Examination, ExamineOptions, MachineFacts } from "../src/machine-facts.js";
import { selectLibrary } from "../src/select-library.js";
import { capabilities, type library, linux, shipped, versionOf } from "./libraries.js";
import { fileOf, type MonitoredMachine, monitoredMachine, printed, worldOf } from "./monitored-world.js";

const facts: MachineFacts = {
  system: { ...linux, kind: "bare metal", node: "22.0.0" },
  driver: versionOf("12.4"),
  kernelDriver: "550.54.14",
  frameworks: [{ name: "onnxruntime-node", version: "1.20.0", cuda: { major: 12 }, toldBy: "", loaded: false }],
  host: { framework: "onnxruntime-node", major: 12 },
  toolkits: [],
  runtimes: [],
};

const gpu = (id: string, used = 512): string => `0, ${id}, NVIDIA A10, 23028, ${used}, 37, 41, 61.25\n`;

interface Scene {
  readonly machine: MonitoredMachine;
  facts: MachineFacts;
  libraries: ReturnType<typeof library>[];
  readonly depths: ("quick" | "full")[];
  readonly inspection: Inspection;
  examine: () => Promise<void>;
}

function scene(): Scene {
  const files = new Map(shipped.map(({ path }) => [path, fileOf(`bytes of ${path}`)]));
  const machine = monitoredMachine({ files, programs: new Map([["nvidia-smi", printed(gpu("GPU-1"))]]) });
  const made: Scene = {
    machine,
    facts,
    libraries: [...shipped],
    depths: [],
    examine: async () => undefined,
    inspection: {
      world: worldOf(machine),
      findLibraries: async () => made.libraries,
      examine: async (_, { depth = "quick" }: ExamineOptions = {}): Promise<Examination> => {
        made.depths.push(depth);
        await made.examine();
        const gpus = [{ id: "GPU-1", name: "A10", capability: capabilities("86")[0]! }];
        return { sources: [], facts: depth === "full" ? { ...made.facts, gpus } : made.facts };
      },
      choose: (examination, libraries) => {
        const { system, driver, host, gpus } = examination.facts;
        const known = { ...(host && { host }), ...(gpus && { gpus: gpus.map(({ capability }) => capability) }) };
        return { selection: selectLibrary(libraries, { system, driver, ...known }) };
      },
    },
  };
  return made;
}

let here: Scene;
let changes: CompatibilityChange[];
beforeEach(() => {
  here = scene();
  changes = [];
});

const monitor = (options: MonitorOptions = {}): PollingMonitor =>
  new PollingMonitor(here.inspection, { onChange: (change) => changes.push(change), ...options });
const codes = (): string[] => changes.map(({ code }) => code);

describe("a sample", () => {
  it("holds the choice, the figures and the process", async () => {
    const backends = [{ name: "cuda:0", memory: () => ({ tensors: 2, bytes: 64, packedBytes: 0 }) }];
    const sample = await monitor({ backends }).sample();
    expect(sample).toMatchObject({
      compatibility: {
        driver: { major: 12, minor: 4 },
        gpus: [{ id: "GPU-1", name: "NVIDIA A10" }],
        frameworks: [{ name: "onnxruntime-node", version: "1.20.0", cuda: { major: 12 } }],
        selection: { library: "cuda124", verdict: "exact", degraded: false, overridden: false },
      },
      telemetry: { source: "nvidia-smi", gpus: [{ utilization: 0.37 }] },
      backends: [{ name: "cuda:0", tensors: 2, bytes: 64 }],
      changes: [],
    });
    expect(sample.compatibility.libraries.map(({ sha256 }) => sha256?.length)).toEqual([64, 64, 64]);
    expect(sample.process.rssBytes).toBeGreaterThan(1e6);
    expect(standingOf(sample.compatibility)).toBe("ok");
  });

  it("tells the process alone where there is nothing else, and says so", async () => {
    here.machine.programs.clear();
    here.facts = { ...facts, driver: { code: "CUDA_NO_DRIVER", message: "No libcuda.", remedy: "" } };
    const sample = await monitor().sample();
    expect(sample.telemetry).toMatchObject({ source: "none", reason: { code: "NVML_NOT_FOUND" } });
    expect(sample.compatibility.selection).toMatchObject({ code: "CUDA_NO_DRIVER" });
    expect(standingOf(sample.compatibility)).toBe("cpu-only");
    expect(standingOf({ ...sample.compatibility, hardware: true })).toBe("unusable");
    expect(sample.process.rssBytes).toBeGreaterThan(0);
  });

  it("is one, however often it is asked for at once", async () => {
    const watching = monitor();
    const [a, b] = await Promise.all([watching.sample(), watching.sample()]);
    expect(a).toBe(b);
    expect(watching.latest).toBe(a);
  });
});

describe("what changes under it", () => {
  const scenarios: [string, () => void, string[]][] = [
    ["nothing", () => undefined, []],
    [
      "the driver is updated",
      () => {
        here.facts = { ...facts, driver: versionOf("13.0"), kernelDriver: "580.65.06" };
      },
      ["DRIVER_CHANGED"],
    ],
    [
      "the driver goes back to CUDA 11",
      () => {
        here.facts = { ...facts, driver: versionOf("11.4"), kernelDriver: "470.42.01" };
      },
      ["DRIVER_CHANGED", "SELECTION_CHANGED"],
    ],
    [
      "the framework is upgraded",
      () => {
        const cuda = { major: 11, minor: 8 };
        const frameworks = [{ ...facts.frameworks[0]!, version: "1.10.0", cuda }];
        here.facts = { ...facts, frameworks, host: { framework: "onnxruntime-node", ...cuda } };
      },
      ["FRAMEWORK_CHANGED", "SELECTION_CHANGED"],
    ],
    [
      "a library is replaced",
      () => void here.machine.files.set(shipped[1]!.path, fileOf("other bytes, other inode")),
      ["LIBRARY_REPLACED"],
    ],
    [
      "a library is touched and the same",
      () => void here.machine.files.set(shipped[1]!.path, fileOf(`bytes of ${shipped[1]!.path}`)),
      [],
    ],
    [
      "a library is removed",
      () => {
        here.libraries = here.libraries.filter(({ version }) => version.minor !== 4);
        here.machine.files.delete(shipped[1]!.path);
      },
      ["LIBRARY_REMOVED", "SELECTION_CHANGED"],
    ],
    ["a GPU vanishes", () => void here.machine.programs.set("nvidia-smi", printed("")), ["GPU_GONE"]],
    ["only memory is used", () => void here.machine.programs.set("nvidia-smi", printed(gpu("GPU-1", 9000))), []],
    ["nvidia-smi breaks", () => here.machine.programs.clear(), []],
  ];

  it.each(scenarios)("%s", async (_, change, expected) => {
    const watching = monitor();
    await watching.sample();
    change();
    const { changes: told } = await watching.sample();
    expect(codes()).toEqual(expected);
    expect(told.map(({ code }) => code)).toEqual(expected);
    await watching.sample();
    expect(codes()).toEqual(expected);
  });

  it("a loaded library is replaced on disk, or deleted", async () => {
    const [driver, gone] = ["/usr/lib/libcuda.so.550.54.14", "/usr/lib/libcudart.so.12"];
    here.machine.files.set(driver, fileOf("driver"));
    here.machine.loaded = [driver, "/usr/lib/libc.so.6"];
    const watching = monitor();
    await watching.sample();
    here.machine.files.set(driver, fileOf("newer driver"));
    here.machine.loaded = [driver, `${gone} (deleted)`];
    await watching.sample();
    await watching.sample();
    expect(changes.map(({ code, subject }) => [code, subject])).toEqual([
      ["LOADED_FILE_REPLACED", driver],
      ["LOADED_FILE_REPLACED", gone],
    ]);
  });
});

describe("its cost", () => {
  it("is a full examination only when something has changed", async () => {
    const watching = monitor();
    for (let i = 0; i < 4; i++) await watching.sample();
    expect(here.depths).toEqual(["quick", "full", "quick", "quick", "quick"]);
    here.machine.programs.set("nvidia-smi", printed(gpu("GPU-2")));
    await watching.sample();
    expect(here.depths.slice(-2)).toEqual(["quick", "full"]);
  });

  it("is a full examination when the last is old", async () => {
    const watching = monitor({ fullEveryMs: 0 });
    for (let i = 0; i < 2; i++) await watching.sample();
    expect(here.depths).toEqual(["quick", "full", "quick", "full"]);
  });

  it("reads a library again only when its file has changed", async () => {
    const watching = monitor();
    await watching.sample();
    const first = here.machine.reads.length;
    await watching.sample();
    expect([first, here.machine.reads.length]).toEqual([3, 3]);
    here.machine.files.set(shipped[0]!.path, fileOf("new"));
    await watching.sample();
    expect(here.machine.reads.slice(3)).toEqual([shipped[0]!.path]);
  });
});

describe("running", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const turn = () => vi.advanceTimersByTimeAsync(1000);

  it("reads at once and then every interval", async () => {
    const samples: MonitorSample[] = [];
    const watching = monitor({ intervalMs: 1000, onSample: (sample) => samples.push(sample) });
    watching.start();
    watching.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(samples).toHaveLength(1);
    await turn();
    await turn();
    expect(samples).toHaveLength(3);
    await watching.stop();
    await turn();
    expect(samples).toHaveLength(3);
  });

  it("never reads twice at once, however slow a reading is", async () => {
    let [running, most] = [0, 0];
    here.examine = async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 3500));
      running--;
    };
    const watching = monitor({ intervalMs: 1000 });
    watching.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(most).toBe(1);
    expect(here.depths.length).toBeGreaterThan(3);
    const stopped = watching.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    await stopped;
  });

  it("ends with its signal and says nothing afterwards", async () => {
    const controller = new AbortController();
    let samples = 0;
    const watching = monitor({ intervalMs: 1000, signal: controller.signal, onSample: () => samples++ });
    watching.start();
    await vi.advanceTimersByTimeAsync(0);
    controller.abort();
    await vi.advanceTimersByTimeAsync(5000);
    expect(samples).toBe(1);
    await expect(watching.sample()).rejects.toMatchObject({ code: "ABORTED" });
  });

  it("never starts when its signal has fired before", async () => {
    const watching = monitor({ signal: AbortSignal.abort() });
    watching.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(here.depths).toEqual([]);
  });

  it("goes on after a reading that failed", async () => {
    const errors: unknown[] = [];
    here.examine = async () => {
      throw new Error("the disk is gone");
    };
    const watching = monitor({ intervalMs: 1000, onError: (error) => errors.push(error) });
    watching.start();
    await vi.advanceTimersByTimeAsync(0);
    here.examine = async () => undefined;
    await turn();
    expect(errors).toMatchObject([{ message: "the disk is gone" }]);
    expect(watching.latest).toBeDefined();
    await watching.stop();
  });

  it("goes on after a callback that throws", async () => {
    const errors: unknown[] = [];
    const onSample = () => {
      throw new Error("of the application");
    };
    const watching = monitor({ intervalMs: 1000, onSample, onError: (error) => errors.push(error) });
    watching.start();
    await vi.advanceTimersByTimeAsync(2000);
    expect(errors.length).toBe(3);
    await watching.stop();
  });

  it("logs changes when nobody else takes them", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const watching = new PollingMonitor(here.inspection);
    await watching.sample();
    here.facts = { ...facts, kernelDriver: "560.28.03" };
    await watching.sample();
    expect(warn).toHaveBeenCalledWith(expect.stringMatching(/halfbyte: The driver went from .*DRIVER_CHANGED/));
    warn.mockRestore();
  });

  it("does not keep the process alive unless told to", async () => {
    const refs: boolean[] = [];
    for (const keepAlive of [false, true]) {
      const set = vi.spyOn(globalThis, "setTimeout");
      const watching = monitor({ intervalMs: 1234, keepAlive });
      watching.start();
      await vi.advanceTimersByTimeAsync(0);
      const timer = set.mock.results[set.mock.calls.findLastIndex(([, wait]) => wait! > 1000)]!.value as NodeJS.Timeout;
      refs.push(timer.hasRef());
      set.mockRestore();
      await watching.stop();
    }
    expect(refs).toEqual([false, true]);
  });
});

describe("its interval", () => {
  it.each([0, -1, 99, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])("is not %d", (intervalMs) => {
    const thrown = (() => {
      try {
        return monitor({ intervalMs });
      } catch (error) {
        return error as HalfbyteError;
      }
    })();
    expect(thrown).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

it("`await using` ends it", async () => {
  const watching = monitor();
  await watching.sample();
  await watching[Symbol.asyncDispose]();
  await expect(watching.sample()).rejects.toMatchObject({ code: "ABORTED" });
});
