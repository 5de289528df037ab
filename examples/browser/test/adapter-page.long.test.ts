/** What the page tells of the adapter: its facts, the verdicts of the self-test, and the benchmark with all that may come between. */
import { opNames } from "@halfbyte/core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumAdvice } from "../../../test/find-chromium.js";
import { type Opened, openSite, type Site, showAdapter } from "./opened-page.js";

/** One page for all: a software adapter takes its time for the self-test. */
let [site, opened]: [Site?, Opened?] = [];
beforeAll(async () => {
  site = await openSite();
  opened = await site?.open(keepDevices);
  if (opened) await showAdapter(opened.page);
}, 240_000);
afterAll(() => site?.close());

/** As if another tab were in front. */
const hide = (page: Page, hidden: boolean): Promise<void> =>
  page.evaluate(
    (value) => {
      Object.defineProperty(document, "visibilityState", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    },
    hidden ? "hidden" : "visible",
  );

/** Keeps every GPU device that the worker opens, so that a test can take it away. */
async function keepDevices(page: Page): Promise<void> {
  await page.route("**/adapter-worker.js", async (route) => {
    const response = await route.fetch();
    const keep = `const request = GPUAdapter.prototype.requestDevice;
      globalThis.devices = [];
      GPUAdapter.prototype.requestDevice = async function (...given) {
        const device = await request.apply(this, given);
        devices.push(device);
        return device;
      };`;
    await route.fulfill({ response, body: `${keep}\n${await response.text()}` });
  });
}

const loseDevices = (page: Page): Promise<unknown> =>
  page
    .workers()
    .find((worker) => worker.url().includes("adapter-worker"))!
    .evaluate(async () => {
      const { devices } = globalThis as unknown as { devices: GPUDevice[] };
      for (const device of devices) device.destroy();
      await Promise.all(devices.map(({ lost }) => lost));
    });

describe("this adapter", { timeout: 240_000 }, () => {
  it("is named, and told to be software where it is", async ({ skip }) => {
    if (!opened) return skip(chromiumAdvice);
    const adapter = opened.page.locator("#adapter");
    expect(await adapter.locator(".adapter-name").textContent()).toMatch(/swiftshader.*software adapter/i);
    expect(await adapter.getByText("webgpu was passed over (detect)").count()).toBe(1);
    expect(await adapter.getByText("SOFTWARE_ADAPTER", { exact: true }).count()).toBe(1);
    expect(await adapter.getByText("cpu (wasm", { exact: false }).first().isVisible()).toBe(true);
    expect(await adapter.locator(".limits dt").count()).toBe(6);
  });

  it("has a verdict on every operation, and none failed", async ({ skip }) => {
    if (!opened) return skip(chromiumAdvice);
    const table = opened.page.getByRole("region", { name: "Operations and their kernels" });
    for (const op of opNames) expect([op, await table.locator(`tr[data-op="${op}"]`).count()]).not.toEqual([op, 0]);
    expect(await table.getByText("demoted", { exact: true }).count()).toBe(0);
    expect(
      await table.locator('tr[data-op="dequantize4bit"]').getByText("passed", { exact: true }).count(),
    ).toBeGreaterThan(0);
  });

  it("notices a kernel that was broken on purpose", async ({ skip }) => {
    if (!opened) return skip(chromiumAdvice);
    const { page } = opened;
    await page.getByRole("button", { name: "Break a kernel on purpose" }).click();
    await page.getByText("SELF_TEST_FAILED", { exact: true }).first().waitFor({ timeout: 120_000 });
    expect(await page.getByText(/gives a wrong out for dequantize/).count()).toBeGreaterThan(0);
    expect(await page.getByText("Nothing noticed it.").count()).toBe(0);
  });
});

describe("the benchmark", () => {
  it("measures, waits while the tab is hidden, and stops", { timeout: 480_000 }, async ({ skip }) => {
    if (!opened) return skip(chromiumAdvice);
    const { page } = opened;
    const [run, paused] = [page.getByRole("button", { name: "Run the benchmark" }), page.getByText("Paused while")];
    await hide(page, true);
    await run.click();
    await paused.waitFor({ timeout: 120_000 });
    await hide(page, false);
    await page.getByText("Done.", { exact: true }).waitFor({ timeout: 200_000 });
    const rows = page
      .getByRole("region", { name: "Benchmark of products" })
      .getByRole("row")
      .filter({ hasText: "wasm" });
    expect(await rows.count()).toBe(3);
    for (const text of await rows.locator("td:last-child").allTextContents()) expect(Number(text)).toBeLessThan(1e-5);
    await hide(page, true);
    await run.click();
    await paused.waitFor({ timeout: 120_000 });
    await page.locator("#benchmark-stop").click();
    await page.locator("#benchmark-failure").getByText("ABORTED", { exact: true }).waitFor();
    expect(await run.isVisible()).toBe(true);
  });
});

describe("a lost device", { timeout: 240_000 }, () => {
  it("is opened again after it was lost", async ({ skip }) => {
    if (!opened) return skip(chromiumAdvice);
    const { page } = opened;
    await loseDevices(page);
    await page.locator("#adapter .kernels").evaluate((element) => element.setAttribute("data-old", ""));
    await page.getByRole("button", { name: "Look again" }).click();
    await page.locator("#adapter .kernels:not([data-old])").waitFor({ timeout: 120_000 });
    const table = page.getByRole("region", { name: "Operations and their kernels" });
    expect(await table.getByText("passed", { exact: true }).count()).toBeGreaterThan(0);
  });
});
