/** The report's page draws its charts without a network. */
import { chromium } from "playwright-core";
import { describe, expect, it } from "vitest";
import { chromiumAdvice, chromiumFlags, findChromium } from "../../test/find-chromium.js";
import { htmlOf } from "../src/report/html.js";
import type { Report, Row } from "../src/report/row.js";

const row: Row = {
  suite: "gemm-4bit",
  case: "gemm4bit",
  backend: "cpu",
  tier: "<script>alert(1)</script>",
  accuracy: "fast",
  format: "nf4",
  dtype: "bfloat16",
  shape: { m: 1, n: 64, k: 64 },
  threads: 1,
  temperature: "cold",
  memory: "pool",
  medianNs: 2000,
  minNs: 1900,
  runs: 3,
  floor: { kind: "read", medianNs: 1500 },
  ratioToFloor: 0.75,
  invalid: null,
  otherFloors: [],
  relativeError: 1e-3,
  unroundedError: 1e-4,
  peers: [{ name: "rival", version: "1", medianNs: 9000, ratio: 4.5, relativeError: null }],
  notMeasured: [],
  target: "GEMV",
  targetMet: false,
  verdicts: [
    { target: "GEMV", measure: "share of floor", figure: 0.75, bound: "≥ 0.95", ratio: 0.79, met: false },
    { target: "GEMV", measure: "x", figure: null, bound: "≥ 1", ratio: null, met: null, reason: "no floor" },
  ],
};

const machine = { cpu: "A & B", cores: 2, memoryBytes: 1, os: "Linux", floors: null, floorsMissing: "no compiler" };
const report: Report = {
  machine,
  versions: { node: "20" },
  rows: [row, { ...row, suite: "decode" }],
  failures: [{ case: "startup", reason: "no <backend>" }],
};

describe("the report's page", () => {
  it("loads nothing and escapes what it is given", () => {
    const page = htmlOf(report);
    expect(page).not.toMatch(/<(script|link|img)[^>]*(src|href)=/);
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("A &amp; B");
    expect(page).toContain("no &lt;backend>");
  });

  it("draws a chart per suite in an offline browser", async (ctx) => {
    const executablePath = findChromium();
    if (!executablePath) return ctx.skip(chromiumAdvice);
    const browser = await chromium.launch({ executablePath, args: chromiumFlags });
    try {
      const context = await browser.newContext({ offline: true });
      const page = await context.newPage();
      const errors: string[] = [];
      page.on("pageerror", ({ message }) => errors.push(message));
      await page.setContent(htmlOf(report));
      await page.waitForSelector("#chart1 svg");
      expect(errors).toEqual([]);
      expect(await page.locator("svg").count()).toBe(2);
      expect(await page.locator("#chart0").textContent()).toContain("rival");
    } finally {
      await browser.close();
    }
  });
});
