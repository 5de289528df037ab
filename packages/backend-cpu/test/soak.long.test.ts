/**
 * Minutes of mixed operations from several worker threads: memory stays flat, nothing is leaked, and every thread gets the same results in
 * every round. HALFBYTE_SOAK_SECONDS shortens it.
 */
import { Worker } from "node:worker_threads";
import { loadLibrary } from "@halfbyte/native";
import { expect, it } from "vitest";
import { cpuLibraries } from "../src/library.js";
import { notBuilt } from "./conformance.js";
import type { SoakReport } from "./soak-worker.js";

const seconds = Number(process.env["HALFBYTE_SOAK_SECONDS"] ?? 600);
const threads = 4;
const megabyte = 1 << 20;

/** The worker is TypeScript, and finds the sources of the other packages: tsx reads it. */
const start = `import("tsx/esm/api").then(({ register }) => {
  register();
  return import(${JSON.stringify(new URL("./soak-worker.ts", import.meta.url).href)});
});`;

function soak(): Promise<SoakReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(start, {
      eval: true,
      workerData: { seconds },
      execArgv: ["--conditions=@halfbyte/source"],
    });
    worker.once("message", resolve).once("error", reject);
  });
}

it(`${threads} threads for ${seconds} seconds`, { timeout: (seconds + 300) * 1000 }, async ({ skip }) => {
  if (notBuilt) skip(notBuilt);
  const residents: number[] = [];
  const timer = setInterval(() => residents.push(process.memoryUsage.rss()), 1000);
  const reports = await Promise.all(Array.from({ length: threads }, soak));
  clearInterval(timer);
  for (const { rounds, digests, leaked, tensors } of reports) {
    expect(rounds).toBeGreaterThan(1);
    expect(digests).toEqual(reports[0]!.digests);
    expect({ leaked, tensors }).toEqual({ leaked: 0, tensors: 0 });
  }
  expect(await bytesInUse()).toBe(0n);
  console.log(sayMemory(residents, reports));
  expect(growth(residents)).toBeLessThan(64 * megabyte);
});

/** By the library's own count, which all threads of the process share. */
async function bytesInUse(): Promise<bigint> {
  const { functions } = await loadLibrary(cpuLibraries(), { backend: "cpu", machine: [] });
  const [created, used, pooled]: [[bigint | null], BigUint64Array, BigUint64Array] = [
    [null],
    new BigUint64Array(1),
    new BigUint64Array(1),
  ];
  expect(functions.hb_queue_create(0, 1, created)).toBe(0);
  functions.hb_memory(created[0]!, used, pooled);
  functions.hb_queue_destroy(created[0]!);
  return used[0]!;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** From the second quarter to the last: the first is warming up. */
function growth(residents: readonly number[]): number {
  const quarter = residents.length >> 2;
  return median(residents.slice(-quarter)) - median(residents.slice(quarter, 2 * quarter));
}

function sayMemory(residents: readonly number[], reports: readonly SoakReport[]): string {
  const rounds = reports.map(({ rounds }) => rounds).join(" + ");
  const sizes = [median(residents), Math.max(...residents), growth(residents)].map((size) =>
    Math.round(size / megabyte),
  );
  return `${rounds} rounds; resident memory: median ${sizes[0]} MiB, highest ${sizes[1]} MiB, grown by ${sizes[2]} MiB`;
}
