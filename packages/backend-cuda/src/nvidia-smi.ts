/** GPU readings from the program nvidia-smi, where NVML cannot be loaded: one line of values per GPU. */
import { messageOf, type Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import type { GpuReading } from "./gpu-reading.js";
import type { World } from "./world.js";

export const nvidiaSmiNames = (platform: NodeJS.Platform): readonly string[] =>
  platform === "win32" ? ["nvidia-smi.exe"] : ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"];

/** compute_cap is unknown to drivers before R470, which then refuse the whole query: it is not asked. */
const fields = "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw";

/** It may wait for a GPU that does not answer. */
export const nvidiaSmiLimitMs = 3000;

export interface SmiAsked {
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
}

/** Never throws. */
export async function nvidiaSmiGpus(world: World, asked: SmiAsked = {}): Promise<readonly GpuReading[] | Reason> {
  const failures: string[] = [];
  for (const program of nvidiaSmiNames(world.platform)) {
    try {
      const options = { limitMs: asked.limitMs ?? nvidiaSmiLimitMs, ...(asked.signal && { signal: asked.signal }) };
      const { code, stdout, stderr } = await world.run(program, [`--query-gpu=${fields}`, query], options);
      if (code === 0) return stdout.split("\n").flatMap(readingOf);
      failures.push(`${program} ended with ${code}: ${firstLine(stderr || stdout)}`);
    } catch (thrown) {
      failures.push(`${program}: ${messageOf(thrown)}`);
    }
  }
  return reasonOf("NVML_FAILED", `${failures.join("; ")}.`, "Install the whole driver; it brings nvidia-smi.");
}

const query = "--format=csv,noheader,nounits";

const firstLine = (text: string): string => text.trim().split("\n", 1)[0]!.slice(0, 200);

/** Nothing for a line that is none. Names hold no commas; what a GPU does not tell is [N/A] or [Not Supported]. */
function readingOf(line: string): GpuReading[] {
  const cells = line.split(",").map((cell) => cell.trim());
  const [index, id, name] = cells;
  if (cells.length !== fields.split(",").length || !/^\d+$/.test(index!) || !id || !name) return [];
  const [total, used, percent, celsius, watts] = cells.slice(3).map(numberOf);
  const mib = 1024 ** 2;
  return [
    {
      id,
      index: Number(index),
      name,
      ...(total !== undefined && used !== undefined && { memory: { totalBytes: total * mib, usedBytes: used * mib } }),
      ...(percent !== undefined && { utilization: Math.min(1, percent / 100) }),
      ...(celsius !== undefined && { temperatureCelsius: celsius }),
      ...(watts !== undefined && { powerWatts: watts }),
    },
  ];
}

const numberOf = (cell: string): number | undefined => (/^\d+(\.\d+)?$/.test(cell) ? Number(cell) : undefined);
