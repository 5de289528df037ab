/** Starting device-list-child.cjs. */
import { fileURLToPath } from "node:url";
import { runScript, type ScriptEnding, scriptObstacle } from "@halfbyte/native";
import type { DeviceQuestion } from "./device-report.js";
import type { RunOptions } from "./world.js";

const script = fileURLToPath(new URL("./device-list-child.cjs", import.meta.url));

/** Rejects where no process can be started. */
export async function listDevices(question: DeviceQuestion, options: RunOptions): Promise<ScriptEnding> {
  const obstacle = scriptObstacle(script);
  if (obstacle) throw new Error(`The GPUs cannot be listed: ${obstacle}`);
  return runScript(script, question, options);
}
