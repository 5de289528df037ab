/** The suites that start other programs; they use the packages as built. */
import { describe, expect, it } from "vitest";
import { startupCases } from "../src/suites/startup.js";
import { bench, expectReport } from "./command-line.js";

const small = ["--threads", "1", "--runs", "1", "--json"];

describe("suites that start programs", () => {
  it("checkpoint quantizes a model and copies it", async () => {
    const { code, stdout, stderr } = await bench(["checkpoint", "--backend", "reference", ...small, "--size", "0.002"]);
    expect(code, stderr).toBe(0);
    const [row] = expectReport(stdout).rows;
    expect(row).toMatchObject({ suite: "checkpoint", case: "0.002 GB", tier: "reference", runs: 3 });
    expect(row!.floor!.kind).toBe("cp");
  });

  it("startup starts, or says why it cannot", async () => {
    const { stdout } = await bench(["startup", "--backend", "cpu", ...small]);
    const { rows, failures } = expectReport(stdout);
    expect(rows.length + failures.length).toBe(startupCases.length);
    for (const { reason } of failures) expect(reason).toMatch(/library|cannot be measured/i);
  });
});
