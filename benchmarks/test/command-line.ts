/** Runs `pnpm bench` from its sources in a process of its own, and checks what it reports. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv } from "ajv";
import { expect } from "vitest";
import type { Report } from "../src/report/row.js";

const root = resolve(import.meta.dirname, "../..");
const schema = JSON.parse(readFileSync(join(root, "benchmarks/src/report/report.schema.json"), "utf8"));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function bench(args: readonly string[]): Promise<Finished> {
  const main = join(root, "benchmarks/src/main.ts");
  const env = { ...process.env, INIT_CWD: undefined };
  const child = spawn(process.execPath, ["--conditions=@halfbyte/source", "--import", "tsx", main, ...args], {
    cwd: root,
    env,
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (text) => (texts.stdout += String(text)));
  child.stderr.on("data", (text) => (texts.stderr += String(text)));
  return new Promise((done) => child.on("close", (code) => done({ code, ...texts })));
}

/** The report, which keeps to the schema. */
export function expectReport(text: string): Report {
  const report: unknown = JSON.parse(text);
  const validate = new Ajv({ allErrors: true }).compile(schema);
  expect(validate(report), JSON.stringify(validate.errors, null, 2)).toBe(true);
  return report as Report;
}
