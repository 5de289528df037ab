/** What device-list-child.cjs said, checked: it speaks for a driver, which may say anything. */
import type { ScriptEnding } from "@halfbyte/native";
import type { Capability } from "./capability.js";
import { driverVersionOf, nameOf, oneLine } from "./plain-text.js";

/** What it is asked: by which library, and the names by which to look for it. */
export interface DeviceQuestion {
  readonly by: "cuda" | "nvml";
  readonly names: readonly string[];
}

export interface ListedDevice {
  readonly id: string;
  readonly name: string;
  /** Absent when the device does not answer. */
  readonly capability?: Capability;
  readonly memoryBytes?: number;
}

export interface DeviceReport {
  /** What it was doing last. */
  readonly step: string;
  /** A call that returned a status other than success. */
  readonly failed?: { readonly call: string; readonly status: number };
  readonly thrown?: string;
  readonly driver?: string;
  /** As cuDriverGetVersion gives it. */
  readonly cuda?: number;
  /** How many there are, by its own count. */
  readonly count?: number;
  readonly devices: readonly ListedDevice[];
  /** Why the list is not whole. */
  readonly trouble?: string;
}

/** A machine's worth of GPUs, many times over. */
const mostSaid = 1024 * 1024;

type Said = Readonly<Record<string, unknown>>;

export function reportOf(ending: ScriptEnding): DeviceReport {
  const lines = ending.said.slice(0, mostSaid).split("\n").slice(0, -1).map(parsed);
  const last = <T>(name: string, check: (value: unknown) => T | undefined): T | undefined =>
    lines.map((line) => check(line[name])).findLast((value) => value !== undefined);
  const versions = last("versions", asObject) ?? {};
  const devices = lines
    .map(({ device }) => asObject(device))
    .filter((device) => device !== undefined)
    .map(deviceOf);
  const [step, count] = [last("step", nameOf) ?? "starting", last("count", asCount)];
  return {
    step,
    devices,
    ...given("failed", last("failed", asFailure)),
    ...given("thrown", last("thrown", asText)),
    ...given("driver", typeof versions["driver"] === "string" ? driverVersionOf(versions["driver"]) : undefined),
    ...given("cuda", typeof versions["cuda"] === "number" ? versions["cuda"] : undefined),
    ...given("count", count),
    ...given("trouble", troubleOf(ending, step, count, devices.length)),
  };
}

/** A property that is there only when it has a value. */
const given = <K extends string, T>(key: K, value: T | undefined): { [_ in K]?: T } =>
  (value === undefined ? {} : { [key]: value }) as { [_ in K]?: T };

/** A line that is no object says nothing. */
function parsed(line: string): Said {
  try {
    return asObject(JSON.parse(line)) ?? {};
  } catch {
    return {};
  }
}

const asObject = (value: unknown): Said | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Said) : undefined;

const asText = (value: unknown): string | undefined => (typeof value === "string" ? oneLine(value, 300) : undefined);
const asCount = (value: unknown): number | undefined => (Number.isInteger(value) ? (value as number) : undefined);

function asFailure(value: unknown): DeviceReport["failed"] {
  const { call, status } = asObject(value) ?? {};
  const name = nameOf(call);
  return name !== undefined && Number.isInteger(status) ? { call: name, status: status as number } : undefined;
}

function deviceOf(said: Said, at: number): ListedDevice {
  const index = asCount(said["index"]) ?? at;
  const capability = capabilityOf(said["major"], said["minor"]);
  const memory = said["memoryBytes"];
  return {
    id: nameOf(said["id"]) ?? String(index),
    name: nameOf(said["name"]) ?? `GPU ${index}`,
    ...(capability && { capability }),
    ...(Number.isSafeInteger(memory) && (memory as number) > 0 && { memoryBytes: memory as number }),
  };
}

export function capabilityOf(major: unknown, minor: unknown): Capability | undefined {
  const within = (value: unknown, least: number, most: number): value is number =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  return within(major, 1, 99) && within(minor, 0, 9) ? { major, minor } : undefined;
}

function troubleOf({ code, signal, timedOut }: ScriptEnding, step: string, count: number | undefined, listed: number) {
  if (timedOut) return `it was cut off in ${step}`;
  if (signal) return `it crashed in ${step} by ${signal}`;
  if (code !== 0) return `it ended in ${step} with code ${code}`;
  return count !== undefined && count !== listed ? `${count} GPUs were counted and ${listed} described` : undefined;
}
