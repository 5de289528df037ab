/** Doctor's report on eight recorded machines, as people and as programs read it. Each page stands in test/doctor/ to be looked at. */
import { join } from "node:path";
import type { Detection } from "@halfbyte/core";
import { describe, expect, it } from "vitest";
import { diagnosisOf, worldNames } from "../../backend-cuda/test/diagnosed-worlds.js";
import { doctorReport, reportLines } from "../src/doctor/report.js";

const pages = join(import.meta.dirname, "doctor");

const cpu: Detection = {
  provider: "cpu",
  available: true,
  versions: {},
  sources: [],
  candidates: [
    {
      library: "/srv/app/node_modules/@halfbyte/backend-cpu-linux-x64/libhalfbyte_cpu.so",
      version: "unknown",
      verdict: "compatible",
      code: "FOUND",
      reason: "The file is there; it is asked for its version when it is opened.",
    },
  ],
  devices: [{ id: "cpu", name: "AMD EPYC 7R13", software: false }],
};

const reportOf = async (name: string) => doctorReport(await diagnosisOf(name), cpu);
const fileOf = (name: string, kind: string) => join(pages, `${name.toLowerCase().replaceAll(" ", "-")}.${kind}`);

describe.each(worldNames)("%s", (name) => {
  it("as text", async () => {
    const lines = reportLines(await reportOf(name));
    expect(lines.filter((line) => line.length > 100 && !line.startsWith("    "))).toEqual([]);
    expect(lines.filter((line) => line.endsWith(" "))).toEqual([]);
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(fileOf(name, "txt"));
  });

  it("as JSON", async () => {
    await expect(`${JSON.stringify(await reportOf(name), null, 2)}\n`).toMatchFileSnapshot(fileOf(name, "json.txt"));
  });
});
