/** halfbyte monitor as a user runs it: lines, an endpoint that is scraped, changes under it, and how it ends. */
import { renameSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { compileNativeStub, noNativeStubs } from "../../backend-cuda/test/native-stub.js";
import { halfbyte, start } from "./command-line.js";

interface Line {
  readonly type: "sample" | "change";
  readonly [key: string]: unknown;
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

/** A monitor that runs until the test is over. `until` resolves when what it wrote matches. */
function running(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = start(["monitor", ...args], { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      text += String(chunk);
      for (const look of waiting) look();
    });
  const until = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`no ${pattern} in:\n${text}`)), 40_000);
      const look = () => {
        const match = pattern.exec(text);
        if (!match) return;
        clearTimeout(patience);
        resolve(match);
      };
      waiting.add(look);
      look();
    });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, until, ended };
}

describe("one reading", () => {
  it("is lines that say what is there", async () => {
    const { code, stdout, stderr } = await halfbyte(["monitor", "--once"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^driver {6}.+\nlibrary {5}.+\nframeworks {2}.+\nGPU figures .+\n(\d\d:\d\d:\d\d {2}.+\n)+$/,
    );
  });

  it("is one object on one line with --json", async () => {
    const { code, stdout } = await halfbyte(["monitor", "--count", "2", "--interval", "0.1", "--json"]);
    expect(code).toBe(0);
    const lines = linesOf(stdout);
    expect(lines.map(({ type }) => type)).toEqual(["sample", "sample"]);
    expect(lines[0]).toMatchObject({
      status: expect.stringMatching(/^(ok|degraded|cpu-only|unusable)$/),
      telemetry: { source: expect.stringMatching(/^(nvml|nvidia-smi|none)$/) },
      process: { rssBytes: expect.any(Number), cpu: expect.any(Number) },
    });
  });
});

describe("the endpoint", () => {
  it("is scraped, and ends with 130 on SIGINT", async () => {
    const { child, until, ended } = running(["--prometheus", "127.0.0.1:0", "--interval", "0.2"]);
    const [, url] = await until(/metrics at (http:\/\/127\.0\.0\.1:\d+\/metrics)\n/);
    await until(/GPU figures/);
    const text = await (await fetch(url!)).text();
    expect(text).toMatch(/^halfbyte_telemetry_info\{source="\w[\w-]*"\} 1$/m);
    expect(text).toMatch(/^halfbyte_monitor_last_reading_timestamp_seconds \d+/m);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    await expect(fetch(url!)).rejects.toThrow();
  });

  it("fails when the port is taken, before it reads anything", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const { code, stdout } = await halfbyte(["monitor", "--prometheus", String(port), "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "ADDRESS_IN_USE", remedy: expect.stringMatching(/port/) },
    });
  });

  it("says so when other machines may reach it", async () => {
    const { until } = running(["--prometheus", "0.0.0.0:0"]);
    await until(/warning: 0\.0\.0\.0 may be reachable from other machines/);
  });
});

describe("with a driver", () => {
  it("reads its GPUs, and tells when it is replaced", async (ctx) => {
    if (noNativeStubs) ctx.skip(noNativeStubs);
    const library = compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1");
    const env = { LD_LIBRARY_PATH: dirname(library), STUB_NVML_COUNT: "2" };
    const { child, until, ended } = running(["--json", "--interval", "0.1"], env);
    const [first] = await until(/.*"type":"sample".*\n/);
    expect(JSON.parse(first)).toMatchObject({
      telemetry: { source: "nvml" },
      gpus: [
        { name: "Stub GPU 0", capability: "8.6", utilization: 0.42, temperatureCelsius: 55 },
        { index: 1, memory: { usedBytes: 6 * 2 ** 30 } },
      ],
    });
    // As a package manager does it: the new file takes the name of the old.
    renameSync(compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1"), library);
    const [change] = await until(/.*"LOADED_FILE_REPLACED".*\n/);
    expect(JSON.parse(change)).toMatchObject({
      type: "change",
      level: "warn",
      subject: expect.stringContaining("libnvidia-ml.so.1"),
    });
    child.kill("SIGTERM");
    expect(await ended).toBe(130);
  });

  it("ends at once although the driver hangs", async (ctx) => {
    if (noNativeStubs) ctx.skip(noNativeStubs);
    const library = compileNativeStub("stub_nvml.c", "libnvidia-ml.so.1");
    const env = { LD_LIBRARY_PATH: dirname(library), STUB_NVML_SLOW_MS: "60000" };
    const { child, until, ended } = running(["--interval", "0.1"], env);
    await until(/GPU figures .*did not answer within 3 s/);
    child.kill("SIGINT");
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, "late").unref());
    expect(await Promise.race([ended, late])).toBe(130);
  });
});

it("a reader that has seen enough is no failure", async () => {
  const { child, until, ended } = running(["--json", "--interval", "0.1"]);
  await until(/"sample"/);
  child.stdout.destroy();
  expect(await ended).toBe(0);
});

it.each([
  [["--interval", "0"]],
  [["--interval", "five"]],
  [["--count", "0"]],
  [["--count", "1.5"]],
  [["--once", "--count", "2"]],
  [["--prometheus", "localhost"]],
])("%j is a usage error", async (args) => expect((await halfbyte(["monitor", ...args])).code).toBe(2));
