/** docs/monitor.md: the codes of changes and the metrics are listed by the code that emits them. */
import { changeCatalogue } from "../packages/backend-cuda/src/compatibility-change.js";
import { MonitorMetrics } from "../packages/cli/src/monitor/metrics.js";
import { notice, table } from "./markdown.js";

const changesTable = (): string =>
  table(
    ["code", "level", "meaning", "what to do"],
    Object.entries(changeCatalogue).map(([code, { level, meaning, remedy }]) => [
      `\`${code}\``,
      level,
      meaning,
      remedy,
    ]),
  );

/** From the comments of an exposition: every metric has its line of help and its type. */
async function metricsTable(): Promise<string> {
  const text = await new MonitorMetrics().text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => [
    `\`${name}\``,
    types.get(name)!,
    help!,
  ]);
  return table(["metric", "type", "meaning"], rows);
}

export const monitorPage = async (): Promise<string> => `${notice}
# The compatibility monitor

Says how the GPUs are, and when what decides on the CUDA library changes while programs run: a driver that was updated under them, a library or framework that was
replaced, a GPU that is gone.

\`\`\`sh
halfbyte monitor                                  # a line per GPU every five seconds
halfbyte monitor --once --json                    # one reading for a script
halfbyte monitor --interval 15 --json             # JSON lines for a log
halfbyte monitor --prometheus 127.0.0.1:9400      # metrics; changes are still printed
\`\`\`

| option | meaning |
| --- | --- |
| \`--interval <seconds>\` | between two readings, from 0.1 to 86400; default 5. A reading that takes longer is followed by the next at once, never joined by it |
| \`--count <n>\`, \`--once\` | end after so many readings, with exit code 0 |
| \`--prometheus <[host:]port>\` | serve \`/metrics\` there, without a host on 127.0.0.1; port 0 takes a free one and prints it. Readings are then not printed |
| \`--json\` | an object per line: \`type\` is \`sample\` or \`change\`; a change comes before the sample that shows it |

SIGINT and SIGTERM end it with exit code 130. A port in use is \`ADDRESS_IN_USE\`, exit code 1.

## In a program

\`\`\`ts
import { createCompatibilityMonitor } from "@halfbyte/backend-cuda";

const monitor = createCompatibilityMonitor({
  intervalMs: 10_000,
  onChange: ({ code, message, remedy }) => console.warn(code, message, remedy),
  onSample: ({ telemetry }) => console.log(telemetry.gpus),
});
monitor.start();
// later
await monitor.stop();
\`\`\`

\`sample()\` reads once without starting; \`latest\` is the last reading; \`signal\` ends it; \`await using\` works. Its timer does not keep a process alive (unless
\`keepAlive\`), it keeps one reading and nothing older, and what a callback throws goes to \`onError\`. Without \`onChange\`, changes are logged (\`HALFBYTE_LOG_LEVEL\`).
With \`backends: [backend]\` the memory that a backend counts is part of every sample.

## Where the figures come from

NVML (\`libnvidia-ml.so.1\`, \`nvml.dll\`), else \`nvidia-smi\`, else there are none and the reading says why; the memory and processor time of the process itself are always there.
NVML runs in a small process of its own, which is ended when it has not answered for three seconds: a driver that hangs holds up nothing. After a failure a source is left alone for a minute.
A GPU that tells no value (power on laptops, utilization on MIG parts) has none, rather than a zero. NVML sees every GPU of the machine, whatever \`CUDA_VISIBLE_DEVICES\` says.
While it runs, the NVIDIA kernel module is in use: stop the monitor before unloading the module.

Every reading asks what is cheap: libcuda's version, kernel driver, framework files, size and time of the libraries. Only when that has changed, and once a minute, is everything asked anew,
as by \`halfbyte doctor\`; a library is hashed when its size, time or inode has changed.

## Changes

${changesTable()}

The monitor of a command line sees the files it has loaded itself (NVML, libcuda). In a program, \`LOADED_FILE_REPLACED\` also covers its frameworks and the halfbyte library it runs.

## Status

Each JSON sample has one: \`ok\`, \`degraded\` (the chosen library is newer than the driver, or is compiled at the first start), \`cpu-only\` (no CUDA and no NVIDIA hardware) or \`unusable\`
(hardware is there, and no library can be used: \`problem\` says why, \`halfbyte doctor\` what to do).

## Metrics

${await metricsTable()}

Labels are few: \`gpu\`, \`uuid\` and \`name\` of a GPU, versions, codes. No paths, no names of users or programs. An alert on changes and one on a GPU that is gone:

\`\`\`yaml
groups:
  - name: halfbyte
    rules:
      - alert: CudaCompatibilityChanged
        expr: increase(halfbyte_compatibility_changes_total{code=~"DRIVER_.*|LIBRARY_.*|SELECTION_.*"}[10m]) > 0
      - alert: CudaUnusable
        expr: halfbyte_cuda_usable == 0
        for: 5m
\`\`\`
`;
