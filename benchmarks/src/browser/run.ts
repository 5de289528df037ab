/** A whole run in the browser: one page for all cases, so that ours and the peers take turns on one adapter. */
import type { Browser, Page } from "playwright-core";
import type { Settings } from "../case.js";
import { versionOf } from "../peers/peer.js";
import { machineFacts, versions } from "../report/machine.js";
import type { Machine, Report } from "../report/row.js";
import { Collected, openingWebgpu } from "../run.js";
import { keyOf, type Spec } from "../spec.js";
import { type BundleOptions, bundlePage, bundleSize, pageEntry } from "./bundle.js";
import { type BrowserChoice, launch, tellPage } from "./chromium.js";
import type { PageMessage, PageWork } from "./page.js";
import { serve } from "./server.js";
import { measureStartup } from "./startup.js";

export interface BrowserRun extends BrowserChoice {
  readonly specs: readonly Spec[];
  readonly settings: Settings;
  /** Whether the first product of a page is measured, too. */
  readonly withStartup: boolean;
  readonly bundling: BundleOptions;
  readonly progress: (line: string) => void;
}

type AdapterPart = Pick<Machine, "floors" | "floorsMissing" | "adapter">;

export async function runInBrowser(options: BrowserRun): Promise<Report> {
  const collected = new Collected(options.progress);
  let adapter: AdapterPart = { floors: null, floorsMissing: "the adapter was not opened" };
  await runPage(options, (message) => {
    if (message.kind !== "adapter") return collected.take(message);
    adapter = { floors: message.floors, floorsMissing: null, adapter: message.adapter };
  });
  if (options.withStartup)
    await measureStartup({ ...options, runs: options.settings.rounds }, (one) => collected.take(one));
  const bundles = [await bundleSize(options.bundling)];
  return { machine: { ...machineFacts(), ...adapter }, versions: await versions(), ...collected.report(), bundles };
}

/** A page that dies takes the cases along that it has not told. */
async function runPage(options: BrowserRun, report: (message: PageMessage) => void): Promise<void> {
  if (options.specs.length === 0) return;
  const open = new Map(options.specs.map((spec) => [keyOf(spec), spec]));
  options.progress(openingWebgpu);
  const browser = await launch(options);
  try {
    const page = await pageWith(browser, options.bundling);
    await page.exposeFunction("tell", (message: PageMessage) => {
      if (message.kind === "rows" || message.kind === "failure") open.delete(keyOf(message.spec));
      report(message);
    });
    await page.evaluate(`benchPage.run(${JSON.stringify(workOf(options, browser))}, tell)`);
  } catch (thrown) {
    for (const spec of open.values()) report({ kind: "failure", spec, reason: tellPage(thrown) });
  } finally {
    await browser.close();
  }
}

async function pageWith(browser: Browser, bundling: BundleOptions): Promise<Page> {
  const script = await bundlePage(pageEntry("page"), bundling);
  const served = await serve({ "/": ["text/html", "<!doctype html>"], "/page.js": ["text/javascript", script] });
  const page = await browser.newPage();
  browser.once("disconnected", () => void served[Symbol.asyncDispose]());
  await page.goto(served.origin);
  await page.evaluate(`import("/page.js").then(() => undefined)`);
  return page;
}

const peerPackages = ["onnxruntime-web", "@tensorflow/tfjs-backend-webgpu", "gpu.js"];

const workOf = ({ specs, settings }: BrowserRun, browser: Browser): PageWork => ({
  specs,
  settings,
  versions: Object.fromEntries(peerPackages.map((name) => [name, versionOf(name)])),
  host: `headless Chromium ${browser.version()}`,
});
