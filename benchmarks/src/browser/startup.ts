/** Suite startup in a browser: the first product of a page, in a profile that has seen nothing, and again when the self-test is remembered. */
import type { CaseMessage } from "../cases.js";
import { median } from "../measure/statistics.js";
import type { Row } from "../report/row.js";
import type { Spec } from "../spec.js";
import { firstProduct } from "../targets.js";
import { type BundleOptions, bundlePage, pageEntry } from "./bundle.js";
import { type BrowserChoice, launch, tellPage } from "./chromium.js";
import type { FirstProduct } from "./first-product.js";
import { serve } from "./server.js";

export interface StartupOptions extends BrowserChoice {
  readonly runs: number;
  readonly bundling: BundleOptions;
}

export const startupSpecs: Readonly<Record<"first" | "remembered" | "upload", Spec>> = {
  first: firstProduct,
  remembered: { ...firstProduct, case: "first gemm4bit in a page, self-test remembered", temperature: "warm" },
  upload: { ...firstProduct, case: "upload before the first gemm4bit" },
};

/** Browsers started. */
const mostStarts = 5;

export async function measureStartup(options: StartupOptions, report: (message: CaseMessage) => void): Promise<void> {
  report({ kind: "begin", spec: startupSpecs.first });
  try {
    const loads = await startBrowsers(options);
    const [first, again] = [loads.map(([cold]) => cold), loads.map(([, warm]) => warm)];
    const rows = {
      first: rowOf(startupSpecs.first, first, ({ open, product }) => open + product),
      remembered: rowOf(startupSpecs.remembered, again, ({ open, product }) => open + product),
      upload: rowOf(startupSpecs.upload, first, ({ upload }) => upload),
    };
    for (const name of ["first", "remembered", "upload"] as const)
      report({ kind: "rows", spec: startupSpecs[name], rows: [rows[name]] });
  } catch (thrown) {
    report({ kind: "failure", spec: startupSpecs.first, reason: tellPage(thrown) });
  }
}

type Loads = readonly [first: FirstProduct, again: FirstProduct];

async function startBrowsers(options: StartupOptions): Promise<Loads[]> {
  const script = await bundlePage(pageEntry("first-product"), options.bundling);
  await using served = await serve({ "/": ["text/html", "<!doctype html>"], "/first.js": ["text/javascript", script] });
  const loads: Loads[] = [];
  for (let i = 0; i < Math.min(options.runs, mostStarts); i++) loads.push(await loadTwice(options, served.origin));
  return loads;
}

async function loadTwice(options: StartupOptions, origin: string): Promise<Loads> {
  const browser = await launch(options);
  try {
    const page = await browser.newPage();
    const { n, k } = firstProduct.shape;
    const load = async () => {
      await page.goto(origin);
      return page.evaluate<FirstProduct>(`import("/first.js").then(() => firstProduct(${n}, ${k}))`);
    };
    return [await load(), await load()];
  } finally {
    await browser.close();
  }
}

function rowOf(spec: Spec, loads: readonly FirstProduct[], milliseconds: (load: FirstProduct) => number): Row {
  const times = loads.map((load) => milliseconds(load) * 1e6);
  const { suite, format, dtype, shape, threads, temperature } = spec;
  return {
    suite,
    case: spec.case,
    backend: "webgpu",
    tier: loads[0]!.tier,
    accuracy: null,
    format,
    dtype,
    shape,
    threads,
    temperature,
    memory: null,
    timing: "wall clock",
    medianNs: median(times),
    minNs: Math.min(...times),
    runs: times.length,
    floor: null,
    ratioToFloor: null,
    invalid: null,
    otherFloors: [],
    relativeError: null,
    unroundedError: null,
    peers: [],
    notMeasured: [],
    target: null,
    targetMet: null,
    verdicts: [],
  };
}
