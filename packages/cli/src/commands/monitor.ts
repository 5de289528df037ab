/** halfbyte monitor: GPU figures and changes of compatibility, as lines, JSON lines or Prometheus metrics. */
import type { CompatibilityMonitor, MonitorOptions } from "@halfbyte/backend-cuda";
import { messageOf } from "@halfbyte/core";
import { Command, InvalidArgumentError, Option } from "commander";
import { exitCodes } from "../exit.js";
import { interruptible } from "../interrupt.js";
import type { Endpoint } from "../monitor/endpoint.js";
import { isLoopback, type ListenAddress, parseListenAddress } from "../monitor/listen-address.js";
import type { MonitorMetrics } from "../monitor/metrics.js";
import { jsonOutput, textOutput } from "../monitor/output.js";

interface Flags {
  readonly interval: number;
  readonly count?: number;
  readonly once?: boolean;
  readonly prometheus?: ListenAddress;
  readonly json?: boolean;
}

const examples = `
Examples:
  halfbyte monitor
  halfbyte monitor --once --json
  halfbyte monitor --prometheus 127.0.0.1:9400 --interval 15
`;

export function monitorCommand(): Command {
  return new Command("monitor")
    .description("watch GPUs, driver, libraries and frameworks; tell when what is compatible changes")
    .option("--interval <seconds>", "between two readings", parseInterval, 5)
    .addOption(new Option("--count <n>", "end after this many readings").argParser(parseCount))
    .addOption(new Option("--once", "one reading").conflicts("count"))
    .addOption(
      new Option(
        "--prometheus <address>",
        "serve /metrics on [host:]port; without a host, on 127.0.0.1. Readings are then not printed, changes are",
      ).argParser(parseListenAddress),
    )
    .option("--json", "print one JSON object per reading and per change, each on a line of its own")
    .addHelpText("after", examples)
    .action((flags: Flags) => interruptible((signal) => monitor(flags, signal)));
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("Expected seconds, from 0.1 to 86400.");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("Expected a whole number from 1 on.");
}

async function monitor(flags: Flags, signal: AbortSignal): Promise<void> {
  const served = flags.prometheus && (await serve(flags.prometheus));
  try {
    await watch(flags, served?.metrics, signal);
  } finally {
    await served?.endpoint.close();
  }
  if (signal.aborted) process.exitCode = exitCodes.interrupted;
}

/** Resolves after the last reading, or when the user has had enough. */
async function watch(flags: Flags, metrics: MonitorMetrics | undefined, signal: AbortSignal): Promise<void> {
  const { createCompatibilityMonitor } = await import("@halfbyte/backend-cuda");
  const output = flags.json ? jsonOutput() : textOutput(metrics === undefined);
  const readings = flags.once ? 1 : (flags.count ?? Number.POSITIVE_INFINITY);
  let running: CompatibilityMonitor | undefined;
  await new Promise<void>((resolve, reject) => {
    let done = 0;
    const options: MonitorOptions = {
      intervalMs: flags.interval * 1000,
      keepAlive: true,
      onChange: (change) => output.change(change),
      onSample: (sample) => {
        metrics?.observe(sample);
        output.sample(sample);
        if (++done >= readings) resolve();
      },
      onError: (thrown) => {
        metrics?.failed();
        process.stderr.write(`halfbyte: a reading failed: ${messageOf(thrown)}\n`);
        if (++done < readings) return;
        // When no reading succeeded, the command has failed.
        if (running?.latest) resolve();
        else reject(thrown);
      },
    };
    signal.addEventListener("abort", () => resolve(), { once: true });
    running = createCompatibilityMonitor(options);
    if (signal.aborted) resolve();
    else running.start();
  }).finally(() => running?.stop());
}

async function serve(
  address: ListenAddress,
): Promise<{ readonly metrics: MonitorMetrics; readonly endpoint: Endpoint }> {
  const [{ MonitorMetrics }, { serveMetrics }] = await Promise.all([
    import("../monitor/metrics.js"),
    import("../monitor/endpoint.js"),
  ]);
  const metrics = new MonitorMetrics();
  const endpoint = await serveMetrics(metrics, address);
  process.stderr.write(`metrics at ${endpoint.url}\n`);
  if (!isLoopback(address))
    process.stderr.write(
      `warning: ${address.host} may be reachable from other machines; anyone there can read the metrics.\n`,
    );
  return { metrics, endpoint };
}
