/** What the monitor writes: metrics and their endpoint, JSON, lines for people. */
import { createServer } from "node:net";
import { homedir } from "node:os";
import { type CompatibilityChange, changeCatalogue } from "@halfbyte/backend-cuda";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Endpoint, serveMetrics } from "../src/monitor/endpoint.js";
import { formatAddress, isLoopback, parseListenAddress } from "../src/monitor/listen-address.js";
import { MonitorMetrics } from "../src/monitor/metrics.js";
import { changeJson, jsonLine, sampleJson } from "../src/monitor/sample-json.js";
import { changeLine, heading, readings } from "../src/monitor/sample-lines.js";
import { bare, sample } from "./monitor-sample.js";

const updated: CompatibilityChange = {
  code: "DRIVER_CHANGED",
  level: "warn",
  message: "The driver went from CUDA 12.2 (535.54.03) to CUDA 12.4 (550.54.14).",
  remedy: "Restart the processes.",
  subject: "driver",
};

describe("parseListenAddress", () => {
  it.each([
    ["9400", "127.0.0.1", 9400],
    [":9400", "127.0.0.1", 9400],
    ["127.0.0.1:0", "127.0.0.1", 0],
    ["localhost:9400", "localhost", 9400],
    ["0.0.0.0:65535", "0.0.0.0", 65535],
    ["[::1]:9400", "::1", 9400],
    ["[::]:80", "::", 80],
  ])("%s", (text, host, port) => expect(parseListenAddress(text)).toEqual({ host, port }));

  it.each([
    "",
    "localhost",
    "localhost:",
    "1.2.3.4:65536",
    ":::9400",
    "::1:9400",
    "a b:c",
    "http://localhost:9400",
    "-1",
    "9400.5",
  ])("refuses %j", (text) => expect(() => parseListenAddress(text)).toThrow("Expected [host:]port"));

  it("knows what only this machine reaches", () => {
    const loopback = (text: string) => isLoopback(parseListenAddress(text));
    expect(["9400", "127.1.2.3:1", "[::1]:1", "localhost:1"].map(loopback)).toEqual([true, true, true, true]);
    expect(["0.0.0.0:1", "[::]:1", "192.168.0.7:1", "gpu-host:1", "127.evil.example:1"].map(loopback)).not.toContain(
      true,
    );
    expect(formatAddress({ host: "::1", port: 9400 })).toBe("[::1]:9400");
  });
});

describe("metrics", () => {
  const textOf = async (...samples: (typeof sample)[]): Promise<string[]> => {
    const metrics = new MonitorMetrics();
    for (const each of samples) metrics.observe(each);
    return (await metrics.text()).split("\n");
  };
  const gpu1 = '{gpu="0",uuid="GPU-1",name="NVIDIA A10"}';

  it("tell what a sample tells", async () => {
    const lines = await textOf(sample);
    for (const line of [
      `halfbyte_gpu_memory_used_bytes${gpu1} 6000000000`,
      `halfbyte_gpu_memory_total_bytes${gpu1} 24000000000`,
      `halfbyte_gpu_utilization_ratio${gpu1} 0.42`,
      `halfbyte_gpu_temperature_celsius${gpu1} 55`,
      `halfbyte_gpu_power_watts${gpu1} 123.5`,
      `halfbyte_gpu_lost${gpu1} 0`,
      'halfbyte_gpu_lost{gpu="1",uuid="GPU-2",name="NVIDIA A10"} 1',
      'halfbyte_driver_info{cuda="12.2",kernel="535.54.03",problem=""} 1',
      'halfbyte_library_info{library="cuda124",version="12.4",verdict="degraded",code="DRIVER_OLDER"} 1',
      'halfbyte_telemetry_info{source="nvml"} 1',
      "halfbyte_cuda_usable 1",
      "halfbyte_degraded 1",
      "halfbyte_monitor_resident_memory_bytes 85000000",
    ])
      expect(lines).toContain(line);
  });

  it("have no value where a GPU tells none, and none of a GPU that is gone", async () => {
    expect((await textOf(sample)).filter((line) => line.includes("GPU-2"))).toHaveLength(1);
    expect((await textOf(sample, bare)).filter((line) => line.includes("GPU-"))).toEqual([]);
  });

  it("say one thing at a time about driver and library", async () => {
    const lines = await textOf(sample, bare);
    expect(lines.filter((line) => line.startsWith("halfbyte_driver_info{"))).toEqual([
      'halfbyte_driver_info{cuda="",kernel="",problem="CUDA_NO_DRIVER"} 1',
    ]);
    expect(lines.filter((line) => line.startsWith("halfbyte_library_info{"))).toEqual([
      'halfbyte_library_info{library="",version="",verdict="",code="CUDA_NO_DRIVER"} 1',
    ]);
    expect(lines).toContain("halfbyte_cuda_usable 0");
  });

  it("count every kind of change, from zero", async () => {
    const lines = await textOf({ ...sample, changes: [updated] }, { ...sample, changes: [updated] });
    const counted = lines.filter((line) => line.startsWith("halfbyte_compatibility_changes_total{"));
    expect(counted).toHaveLength(Object.keys(changeCatalogue).length);
    expect(counted).toContain('halfbyte_compatibility_changes_total{code="DRIVER_CHANGED"} 2');
    expect(counted).toContain('halfbyte_compatibility_changes_total{code="GPU_GONE"} 0');
  });

  it("hold no path", async () => {
    expect((await textOf(sample)).join("\n")).not.toMatch(/\/app|\.so/);
  });

  it("keep nothing of one monitor for another", async () => {
    await textOf(sample);
    expect((await textOf()).some((line) => line.includes("GPU-1"))).toBe(false);
  });
});

describe("the endpoint", () => {
  const serve = async (port = 0): Promise<Endpoint> => {
    const metrics = new MonitorMetrics();
    metrics.observe(sample);
    const endpoint = await serveMetrics(metrics, { host: "127.0.0.1", port });
    onTestFinished(() => endpoint.close());
    return endpoint;
  };

  it("serves /metrics and nothing else", async () => {
    const { url } = await serve();
    const scraped = await fetch(url);
    expect([scraped.status, scraped.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/plain; version=0.0.4"),
    ]);
    expect(await scraped.text()).toContain("# TYPE halfbyte_gpu_memory_used_bytes gauge");
    const base = url.replace("/metrics", "");
    const statuses = await Promise.all(
      ["/", "/metrics/", "/metrics/../etc", "/favicon.ico"].map(async (path) => (await fetch(base + path)).status),
    );
    expect(statuses).toEqual([404, 404, 404, 404]);
    expect((await fetch(`${url}?x=1`)).status).toBe(200);
    expect((await fetch(url, { method: "POST", body: "x" })).status).toBe(405);
    expect(await (await fetch(url, { method: "HEAD" })).text()).toBe("");
  });

  it("says when the port is taken", async () => {
    const { url } = await serve();
    await expect(serve(Number(new URL(url).port))).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: expect.stringContaining(new URL(url).host),
    });
  });

  it("says when it may not listen there", async () => {
    await expect(serveMetrics(new MonitorMetrics(), { host: "203.0.113.1", port: 0 })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
    });
  });

  it("gives its port back, with clients that keep their connection", async () => {
    const endpoint = await serve();
    await (await fetch(endpoint.url)).text();
    await endpoint.close();
    const again = createServer();
    await new Promise<void>((done) => again.listen(Number(new URL(endpoint.url).port), "127.0.0.1", done));
    await new Promise((done) => again.close(done));
  });
});

describe("JSON", () => {
  it("is one line per sample, with versions as text and without the user's name", () => {
    const line = jsonLine(sampleJson(sample));
    expect(line).not.toContain("\n");
    expect(line).not.toContain(homedir());
    expect(JSON.parse(line)).toMatchObject({
      type: "sample",
      time: sample.time,
      ms: 12.3,
      status: "degraded",
      driver: "12.2",
      kernelDriver: "535.54.03",
      chosen: { library: "cuda124", path: "~/app/libhalfbyte_cuda124.so", degraded: true },
      telemetry: { source: "nvml" },
      gpus: [
        { capability: "8.6", utilization: 0.42 },
        { capability: null, lost: { code: "GPU_LOST" } },
      ],
      frameworks: [{ name: "onnxruntime-node", cuda: "12" }],
    });
  });

  it("tells what is wrong where there is nothing", () => {
    expect(JSON.parse(jsonLine(sampleJson(bare)))).toMatchObject({
      status: "cpu-only",
      driver: null,
      driverProblem: { code: "CUDA_NO_DRIVER" },
      chosen: null,
      problem: { code: "CUDA_NO_DRIVER" },
      telemetry: { source: "none", reason: { code: "NVML_NOT_FOUND" } },
      gpus: null,
    });
  });

  it("marks changes", () => {
    expect(changeJson(updated, sample.time)).toEqual({ type: "change", time: sample.time, ...updated });
  });
});

describe("lines for people", () => {
  it("say what is constant once and the rest in columns", () => {
    expect(heading(sample)).toEqual([
      "driver      CUDA 12.2, kernel driver 535.54.03",
      "library     cuda124, degraded: The driver has CUDA 12.2, older than the library.",
      "frameworks  onnxruntime-node 1.20.0 (CUDA 12)",
      "GPU figures from NVML",
    ]);
    const lines = readings(sample).map((line) => line.slice(10));
    expect(lines).toEqual([
      "GPU 0 NVIDIA A10             42 %      6.0 GB of 24.0 GB   55 °C   124 W",
      "GPU 1 NVIDIA A10  lost: It does not answer.",
    ]);
    expect(readings(sample).every((line) => /^\d\d:\d\d:\d\d {2}/.test(line))).toBe(true);
  });

  it("say so when there is only this process", () => {
    expect(heading(bare)).toEqual([
      "driver      none: There is no NVIDIA driver. (CUDA_NO_DRIVER)",
      "library     none: There is no NVIDIA driver. (CUDA_NO_DRIVER)",
      "frameworks  none",
      "GPU figures none, this process only: There is no libnvidia-ml.so.1.",
    ]);
    expect(readings(bare)[0]).toMatch(/no GPU figures; this process 85\.0 MB, 3 % of a core$/);
  });

  it("name a change by its code", () => {
    expect(changeLine(updated, sample.time)).toMatch(
      /^\d\d:\d\d:\d\d {2}DRIVER_CHANGED: The driver went .* Restart the processes\.$/,
    );
  });
});
