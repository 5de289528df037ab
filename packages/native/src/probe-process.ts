/** Starting probe-child.cjs, and what became of it. */
import { fileURLToPath } from "node:url";
import { messageOf } from "@halfbyte/core";
import type { ProbeReport } from "./probe.js";
import { runScript, type ScriptEnding, scriptObstacle } from "./script-process.js";

const script = fileURLToPath(new URL("./probe-child.cjs", import.meta.url));

/** For Node and koffi to be there, on the busiest machine. */
const startLimitMs = 15_000;

export interface ProbeRun extends Omit<ScriptEnding, "said"> {
  readonly report: ProbeReport;
}

/** Why no process can be started here. */
export const probeObstacle = (): string | undefined => scriptObstacle(script);

export async function runProbe(request: unknown, limitMs: number, signal?: AbortSignal): Promise<ProbeRun> {
  const { said, ...ending } = await runScript(script, request, { limitMs, startLimitMs, ...(signal && { signal }) });
  return { ...ending, report: reportOf(said) };
}

/** All the lines as one: later news of the same name replace earlier. A line that was cut off counts for nothing. */
function reportOf(text: string): ProbeReport {
  const report: ProbeReport = { step: "starting" };
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      Object.assign(report, JSON.parse(line));
    } catch (thrown) {
      return { ...report, thrown: `"${line}" was said: ${messageOf(thrown)}` };
    }
  }
  return report;
}
