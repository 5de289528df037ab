/** A sample and a change as one JSON object each, for programs that read line by line. Versions are text, and folders below the home folder begin with ~. */
import {
  type CompatibilityChange,
  formatVersion,
  type GpuReading,
  isChosen,
  type MonitorSample,
  standingOf,
} from "@halfbyte/backend-cuda";
import { maskHome } from "../mask-home.js";

export function sampleJson(sample: MonitorSample): object {
  const { time, ms, compatibility, telemetry, process } = sample;
  const { driver, kernelDriver, frameworks, libraries, selection, replacedFiles } = compatibility;
  const known = "major" in driver;
  const { source, reason, gpus } = telemetry;
  return {
    type: "sample",
    time,
    ms: Math.round(ms * 10) / 10,
    status: standingOf(compatibility),
    driver: known ? formatVersion(driver) : null,
    kernelDriver: kernelDriver ?? null,
    ...(!known && { driverProblem: driver }),
    chosen: isChosen(selection) ? selection : null,
    ...(!isChosen(selection) && { problem: selection }),
    telemetry: { source, ...(reason && { reason }) },
    gpus: gpus?.map(gpuJson) ?? null,
    frameworks: frameworks.map((framework) => ({ ...framework, cuda: cudaText(framework.cuda) })),
    libraries,
    replacedFiles,
    process,
  };
}

export const changeJson = (change: CompatibilityChange, time: string): object => ({ type: "change", time, ...change });

/** One line, without the name of the user. */
export const jsonLine = (value: object): string => JSON.stringify(maskHome(value));

function gpuJson({ capability, ...gpu }: GpuReading): object {
  return { ...gpu, capability: capability ? formatVersion(capability) : null };
}

/** "12.4", "12" where the minor is not known. */
export function cudaText(cuda: MonitorSample["compatibility"]["frameworks"][number]["cuda"]): string | null {
  if (!cuda) return null;
  return cuda.minor === undefined ? String(cuda.major) : `${cuda.major}.${cuda.minor}`;
}
