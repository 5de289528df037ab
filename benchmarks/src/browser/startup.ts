/**
 * Suite startup in a browser: the first product of a page, in a profile that has seen nothing, and again when the self-test is remembered. The one that is
 * opened for products alone compiles and tests nothing else.
 */
import type { WebgpuOptions } from "@halfbyte/backend-webgpu";
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

interface Figure {
  readonly spec: Spec;
  readonly load: keyof Loads;
  readonly milliseconds: (load: FirstProduct) => number;
}

const untilProduct = ({ open, product }: FirstProduct): number => open + product;

const figures: readonly Figure[] = [
  { spec: firstProduct, load: "first", milliseconds: untilProduct },
  {
    spec: { ...firstProduct, case: "first gemm4bit in a page opened for it alone" },
    load: "alone",
    milliseconds: untilProduct,
  },
  {
    spec: { ...firstProduct, case: "first gemm4bit in a page, self-test remembered", temperature: "warm" },
    load: "again",
    milliseconds: untilProduct,
  },
  {
    spec: { ...firstProduct, case: "upload before the first gemm4bit" },
    load: "first",
    milliseconds: ({ upload }) => upload,
  },
];

/** Browsers started. */
const mostStarts = 5;

export async function measureStartup(options: StartupOptions, report: (message: CaseMessage) => void): Promise<void> {
  report({ kind: "begin", spec: firstProduct });
  try {
    const loads = await startBrowsers(options);
    for (const figure of figures) report({ kind: "rows", spec: figure.spec, rows: [rowOf(figure, loads)] });
  } catch (thrown) {
    report({ kind: "failure", spec: firstProduct, reason: tellPage(thrown) });
  }
}

/** In a profile that has seen nothing, and again in it; and in another one for products alone. */
interface Loads {
  readonly first: FirstProduct;
  readonly again: FirstProduct;
  readonly alone: FirstProduct;
}

async function startBrowsers(options: StartupOptions): Promise<Loads[]> {
  const script = await bundlePage(pageEntry("first-product"), options.bundling);
  await using served = await serve({ "/": ["text/html", "<!doctype html>"], "/first.js": ["text/javascript", script] });
  const loads: Loads[] = [];
  for (let i = 0; i < Math.min(options.runs, mostStarts); i++) loads.push(await loadPages(options, served.origin));
  return loads;
}

async function loadPages(options: StartupOptions, origin: string): Promise<Loads> {
  const [first, again] = await loadInTurn(options, origin, [{}, {}]);
  const [alone] = await loadInTurn(options, origin, [{ operations: ["gemm4bit"] }]);
  return { first: first!, again: again!, alone: alone! };
}

/** In one browser, one page after the other. */
async function loadInTurn(
  options: StartupOptions,
  origin: string,
  pages: readonly WebgpuOptions[],
): Promise<FirstProduct[]> {
  const browser = await launch(options);
  try {
    const page = await browser.newPage();
    const { n, k } = firstProduct.shape;
    const found: FirstProduct[] = [];
    for (const given of pages) {
      await page.goto(origin);
      const call = `firstProduct(${n}, ${k}, ${JSON.stringify(given)})`;
      found.push(await page.evaluate<FirstProduct>(`import("/first.js").then(() => ${call})`));
    }
    return found;
  } finally {
    await browser.close();
  }
}

function rowOf({ spec, load, milliseconds }: Figure, loads: readonly Loads[]): Row {
  const times = loads.map((pages) => milliseconds(pages[load]) * 1e6);
  const { suite, format, dtype, shape, threads, temperature } = spec;
  return {
    suite,
    case: spec.case,
    backend: "webgpu",
    tier: loads[0]![load].tier,
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
