/** Where GPU figures come from when NVML or nvidia-smi is missing, refuses, hangs or lies. */
import { describe, expect, it } from "vitest";
import { GpuTelemetry } from "../src/gpu-telemetry.js";
import type { IsolatedLibrary } from "../src/monitored-world.js";
import { nvidiaSmiGpus } from "../src/nvidia-smi.js";
import { monitoredMachine, printed, worldOf } from "./monitored-world.js";

const line = "0, GPU-1, NVIDIA A10, 23028, 512, 37, 41, 61.25";

interface FakeNvml {
  readonly library: IsolatedLibrary;
  readonly calls: string[];
  status: number;
  /** Why its process has ended. */
  ended?: string;
}

/** NVML with one GPU that says nothing but its name. */
function nvml(): FakeNvml {
  const calls: string[] = [];
  const call = async (name: string, _: string, ...args: readonly unknown[]): Promise<number> => {
    calls.push(name);
    if (fake.ended !== undefined) throw new Error(fake.ended);
    if (name === "nvmlDeviceGetCount_v2") (args[0] as Uint32Array)[0] = 1;
    return /Count|Init|Handle|Shutdown/.test(name) ? fake.status : 3;
  };
  const library = { path: "libnvidia-ml.so.1", call, close: () => void calls.push("close") };
  const fake: FakeNvml = { library, calls, status: 0 };
  return fake;
}

describe("nvidia-smi", () => {
  const asked = (stdout: string) =>
    nvidiaSmiGpus(worldOf(monitoredMachine({ programs: new Map([["nvidia-smi", printed(stdout)]]) })));

  it("is read line by line", async () => {
    expect(await asked(`${line}\n1, GPU-2, NVIDIA A10, 23028, 0, 0, 38, 20.00\n`)).toEqual([
      {
        id: "GPU-1",
        index: 0,
        name: "NVIDIA A10",
        memory: { usedBytes: 512 * 2 ** 20, totalBytes: 23028 * 2 ** 20 },
        utilization: 0.37,
        temperatureCelsius: 41,
        powerWatts: 61.25,
      },
      expect.objectContaining({ id: "GPU-2", utilization: 0 }),
    ]);
  });

  it.each([
    ["[N/A]", "0, GPU-1, GeForce, [N/A], [N/A], [Not Supported], [Unknown Error], N/A"],
    ["negative and huge", "0, GPU-1, GeForce, -5, 1e99, -1, NaN, Infinity"],
  ])("leaves out %s", async (_, text) => {
    expect(await asked(text)).toEqual([{ id: "GPU-1", index: 0, name: "GeForce" }]);
  });

  it("caps a utilization that nothing can have", async () => {
    expect(await asked("0, GPU-1, GeForce, 1, 1, 4000, 1, 1")).toMatchObject([{ utilization: 1 }]);
  });

  it.each([
    "",
    "\n\n",
    "No devices were found",
    "\u0000\u0001binary",
    "index, uuid\n",
    ", , , , , , , ",
    "x, GPU-1, n, 1, 1, 1, 1, 1",
  ])("finds no GPU in %j", async (text) => expect(await asked(text)).toEqual([]));

  it("says how it ended", async () => {
    const failing = async () => ({
      code: 9,
      stdout: "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.1",
      stderr: "",
    });
    const world = worldOf(monitoredMachine({ programs: new Map([["nvidia-smi", failing]]) }));
    expect(await nvidiaSmiGpus(world)).toMatchObject({
      code: "NVML_FAILED",
      message: expect.stringContaining(
        "nvidia-smi ended with 9: Failed to initialize NVML: Driver/library version mismatch",
      ),
    });
  });

  it("is looked for where WSL2 keeps it", async () => {
    const machine = monitoredMachine({ programs: new Map([["/usr/lib/wsl/lib/nvidia-smi", printed(line)]]) });
    expect(await nvidiaSmiGpus(worldOf(machine))).toMatchObject([{ id: "GPU-1" }]);
  });
});

describe("GpuTelemetry", () => {
  it("takes NVML, which is opened once", async () => {
    const { library, calls } = nvml();
    const telemetry = new GpuTelemetry(
      worldOf(monitoredMachine({ libraries: new Map([["libnvidia-ml.so.1", library]]) })),
    );
    expect(await telemetry.read()).toEqual({ source: "nvml", gpus: [{ id: "0", index: 0, name: "GPU 0" }] });
    await telemetry.read();
    await telemetry.close();
    expect(calls.filter((name) => name === "nvmlInit_v2")).toHaveLength(1);
    expect(calls.slice(-2)).toEqual(["nvmlShutdown", "close"]);
  });

  it("takes nvidia-smi without NVML, and says why", async () => {
    const machine = monitoredMachine({ programs: new Map([["nvidia-smi", printed(line)]]) });
    expect(await new GpuTelemetry(worldOf(machine)).read()).toMatchObject({
      source: "nvidia-smi",
      gpus: [{ id: "GPU-1" }],
      reason: { code: "NVML_NOT_FOUND" },
    });
  });

  it("has nothing where neither is", async () => {
    const told = await new GpuTelemetry(worldOf(monitoredMachine())).read();
    expect(told).toMatchObject({ source: "none", reason: { code: "NVML_NOT_FOUND" } });
    expect(told.gpus).toBeUndefined();
  });

  it("starts nothing on macOS", async () => {
    let started = false;
    const run = async () => {
      started = true;
      return printed("")();
    };
    const machine = monitoredMachine({ platform: "darwin", programs: new Map([["nvidia-smi", run]]) });
    expect(await new GpuTelemetry(worldOf(machine)).read()).toMatchObject({
      reason: { code: "CUDA_PLATFORM_UNSUPPORTED" },
    });
    expect(started).toBe(false);
  });

  it.each([
    ["the driver was updated", { status: 18 }, "CUDA_DRIVER_MISMATCH"],
    ["it hung or crashed", { ended: "nvmlDeviceGetCount_v2 did not answer within 3 s" }, "NVML_FAILED"],
  ])("starts NVML anew after %s, and not at once", async (_, failure, code) => {
    const driver = nvml();
    const machine = monitoredMachine({ libraries: new Map([["libnvidia-ml.so.1", driver.library]]) });
    let time = 0;
    const telemetry = new GpuTelemetry(worldOf(machine), { now: () => time, retryAfterMs: 1000 });
    await telemetry.read();
    Object.assign(driver, failure);
    expect(await telemetry.read()).toMatchObject({ source: "none", reason: { code } });
    const calls = driver.calls.length;
    Object.assign(driver, { status: 0, ended: undefined });
    time = 999;
    expect(await telemetry.read()).toMatchObject({ source: "none", reason: { code } });
    expect(driver.calls.length).toBe(calls);
    time = 1001;
    expect(await telemetry.read()).toMatchObject({ source: "nvml" });
    expect(driver.calls.filter((name) => name === "nvmlInit_v2")).toHaveLength(2);
  });

  it("leaves nvidia-smi alone for a while after it failed", async () => {
    let [runs, time] = [0, 0];
    const slow = async () => {
      runs++;
      throw new Error("its 3 s were up");
    };
    const machine = monitoredMachine({ programs: new Map([["nvidia-smi", slow]]) });
    const telemetry = new GpuTelemetry(worldOf(machine), { now: () => time, retryAfterMs: 1000 });
    for (time = 0; time < 1000; time += 100) await telemetry.read();
    expect(runs).toBe(1);
    time = 1001;
    await telemetry.read();
    expect(runs).toBe(2);
  });
});
