/** Where samples and changes go: lines for people, JSON lines for programs, nothing but changes beside an endpoint. */
import type { CompatibilityChange, MonitorSample } from "@halfbyte/backend-cuda";
import { printLine } from "../print.js";
import { changeJson, jsonLine, sampleJson } from "./sample-json.js";
import { changeLine, heading, readings } from "./sample-lines.js";

export interface MonitorOutput {
  sample(sample: MonitorSample): void;
  change(change: CompatibilityChange): void;
}

export function jsonOutput(): MonitorOutput {
  return {
    sample: (sample) => printLine(jsonLine(sampleJson(sample))),
    change: (change) => printLine(jsonLine(changeJson(change, new Date().toISOString()))),
  };
}

/** `samples` false: the endpoint has the figures, and a log must not fill with them. */
export function textOutput(samples: boolean): MonitorOutput {
  let begun = false;
  return {
    sample: (sample) => {
      if (!begun) heading(sample).forEach(printLine);
      begun = true;
      if (samples) readings(sample).forEach(printLine);
    },
    change: (change) => printLine(changeLine(change, new Date().toISOString())),
  };
}
