/** `pnpm example:screenshots`: the pictures of docs/browser-example.md, made by driving the page in headless Chromium. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { root } from "../../../scripts/run.mjs";
import { chromiumAdvice, chromiumFlags, findChromium, webgpuFlags } from "../../../test/find-chromium.js";
import { buildPage } from "./build.js";
import { serve } from "./serve.js";

const images = join(root, "docs", "images");
/** Around a part of the page. */
const margin = 24;

const executablePath = findChromium();
if (!executablePath) throw new Error(chromiumAdvice);
const folder = await mkdtemp(join(tmpdir(), "halfbyte-screenshots-"));
await buildPage(folder);
const { url, close } = await serve(folder);
const browser = await chromium.launch({ executablePath, headless: true, args: [...chromiumFlags, ...webgpuFlags] });
try {
  await pictures(browser, "light");
  await pictures(browser, "dark");
} finally {
  await browser.close();
  close();
  await rm(folder, { recursive: true, force: true });
}

async function pictures(opened: Browser, colorScheme: "light" | "dark"): Promise<void> {
  const context = await opened.newContext({
    colorScheme,
    viewport: { width: 1180, height: 820 },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText("Ready, on").waitFor();
  await page.getByRole("button", { name: "Make an example" }).click();
  await page.getByRole("heading", { name: "What will be done" }).waitFor();
  await page.screenshot({ path: join(images, `browser-${colorScheme}.png`) });
  await quantize(page);
  await shoot(page, "#result", `browser-result-${colorScheme}.png`);
  if (colorScheme === "light") await adapter(page);
  await context.close();
}

async function quantize(page: Page): Promise<void> {
  await page.getByLabel("Quantize the scales too").check();
  await page.locator("#start:enabled").click();
  await page.locator("#result").getByText("signal to quantization noise").waitFor();
}

async function adapter(page: Page): Promise<void> {
  await page.locator("#adapter-report").scrollIntoViewIfNeeded();
  await page.locator("#adapter .kernels").waitFor({ timeout: 120_000 });
  await page.getByRole("button", { name: "Break a kernel on purpose" }).click();
  await page.getByText("SELF_TEST_FAILED", { exact: true }).first().waitFor({ timeout: 120_000 });
  await shoot(page, "#adapter .adapter-head", "browser-adapter.png");
  await shoot(page, "#adapter .kernels", "browser-kernels.png");
  await page.getByRole("button", { name: "Run the benchmark" }).click();
  await page.getByText("Done.", { exact: true }).waitFor({ timeout: 300_000 });
  await page.mouse.move(0, 0);
  await shoot(page, "#adapter .benchmark", "browser-benchmark.png");
}

/** A part of the page, however long, with a margin. */
async function shoot(page: Page, selector: string, name: string): Promise<void> {
  const { x, y, width, height } = await page.locator(selector).evaluate((element) => {
    const box = element.getBoundingClientRect();
    return { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height };
  });
  const clip = { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin };
  await page.screenshot({ path: join(images, name), clip, fullPage: true });
}
