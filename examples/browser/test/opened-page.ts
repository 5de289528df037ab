/** The page in headless Chromium, built once for a test file, with what tests look at: requests, complaints, downloads. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Download, type Page } from "playwright-core";
import { chromiumFlags, findChromium, quickWebgpuFlags } from "../../../test/find-chromium.js";
import { buildPage } from "../scripts/build.js";
import { serve } from "../scripts/serve.js";

export interface Opened extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly requests: readonly string[];
  /** Errors on the console, violations of the policy among them. */
  readonly complaints: readonly string[];
}

export interface Site {
  /** A page of its own, ready. */
  open(prepare?: (page: Page) => Promise<unknown>): Promise<Opened>;
  readonly url: string;
  /** Removed at the end. */
  readonly folder: string;
  close(): Promise<void>;
}

/** Undefined where there is no Chromium. */
export async function openSite(): Promise<Site | undefined> {
  const executablePath = findChromium();
  if (!executablePath) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "halfbyte-page-"));
  await buildPage(folder);
  const { url, close } = await serve(folder);
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [...chromiumFlags, ...quickWebgpuFlags],
  });
  return {
    url,
    folder,
    open: (prepare) => openPage(browser, url, prepare),
    async close() {
      await browser.close();
      close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openPage(browser: Browser, url: string, prepare?: (page: Page) => Promise<unknown>): Promise<Opened> {
  const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1180, height: 600 } });
  const page = await context.newPage();
  const [requests, complaints]: [string[], string[]] = [[], []];
  context.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await prepare?.(page);
  await page.goto(url);
  await page.getByText("Ready, on").waitFor();
  return { page, context, requests, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** Looks at the part about the adapter, and waits for the self-test. */
export async function showAdapter(page: Page): Promise<void> {
  await page.locator("#adapter-report").scrollIntoViewIfNeeded();
  await page.locator("#adapter .kernels").waitFor({ timeout: 200_000 });
}

/** Presses Quantize when the plan is there, and waits for the result. */
export async function quantize(page: Page): Promise<void> {
  await page.locator("#start:enabled").click();
  await page.locator("#result").getByText("signal to quantization noise").waitFor();
}

/** What the download button of a file gives. */
export async function downloaded(page: Page, name: string): Promise<Uint8Array> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: `Download ${name}` }).click(),
  ]);
  return bytesOf(download);
}

async function bytesOf(download: Download): Promise<Uint8Array> {
  return new Uint8Array(await readFile(await download.path()));
}

/** What the page keeps of results: files below the folder of the browser's own file system. */
export const keptFiles = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    let files = 0;
    for await (const results of root.values())
      if (results.kind === "directory")
        for await (const run of (results as FileSystemDirectoryHandle).values())
          if (run.kind === "directory") for await (const _ of (run as FileSystemDirectoryHandle).values()) files++;
    return files;
  });
