/** Samples and changes as lines for people: what is constant once, then a line per GPU and reading. */
import {
  type CompatibilityChange,
  formatVersion,
  type GpuReading,
  isChosen,
  type MonitorSample,
} from "@halfbyte/backend-cuda";
import { bytes } from "../print.js";
import { cudaText } from "./sample-json.js";

/** What the first reading found. */
export function heading({ compatibility, telemetry }: MonitorSample): string[] {
  const { driver, kernelDriver, frameworks, selection } = compatibility;
  const cuda = "major" in driver ? `CUDA ${formatVersion(driver)}` : `none: ${driver.message} (${driver.code})`;
  const chosen = isChosen(selection)
    ? `${selection.library}, ${selection.verdict}: ${selection.reason}`
    : `none: ${selection.message} (${selection.code})`;
  const names = frameworks.map(
    ({ name, version, cuda: its }) => `${name} ${version} (CUDA ${cudaText(its) ?? "unknown"})`,
  );
  return [
    `driver      ${cuda}${kernelDriver === undefined ? "" : `, kernel driver ${kernelDriver}`}`,
    `library     ${chosen}`,
    `frameworks  ${names.join(", ") || "none"}`,
    `GPU figures ${sourceText(telemetry)}`,
  ];
}

function sourceText({ source, reason }: MonitorSample["telemetry"]): string {
  if (source === "nvml") return "from NVML";
  const why = reason ? `: ${reason.message}` : "";
  return source === "none" ? `none, this process only${why}` : `from nvidia-smi${why}`;
}

/** One line per GPU; without GPUs, this process. */
export function readings({ time, telemetry, process }: MonitorSample): string[] {
  const at = clock(time);
  const gpus = telemetry.gpus ?? [];
  if (gpus.length > 0) return gpus.map((gpu) => `${at}  ${gpuText(gpu)}`);
  const figures = `this process ${bytes(process.rssBytes)}, ${percent(process.cpu)} of a core`;
  return [`${at}  ${telemetry.gpus ? "no GPU" : "no GPU figures"}; ${figures}`];
}

export const changeLine = ({ code, message, remedy }: CompatibilityChange, time: string): string =>
  `${clock(time)}  ${code}: ${message} ${remedy}`;

function gpuText({ index, name, memory, utilization, temperatureCelsius, powerWatts, lost }: GpuReading): string {
  const label = `GPU ${index} ${name}`;
  if (lost) return `${label}  lost: ${lost.message}`;
  const cells = [
    (utilization === undefined ? "" : percent(utilization)).padStart(5),
    (memory ? `${bytes(memory.usedBytes)} of ${bytes(memory.totalBytes)}` : "").padStart(21),
    (temperatureCelsius === undefined ? "" : `${temperatureCelsius} °C`).padStart(6),
    (powerWatts === undefined ? "" : `${powerWatts.toFixed(0)} W`).padStart(6),
  ];
  return `${label.padEnd(28)}${cells.join("  ")}`.trimEnd();
}

const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;

/** HH:MM:SS here. */
const clock = (time: string): string => new Date(time).toTimeString().slice(0, 8);
