/** The command line of `pnpm bench:browser`. */

import { halfbyteError } from "@halfbyte/core";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes, tell } from "../failure.js";
import { writeReport } from "../report/write.js";
import type { Spec } from "../spec.js";
import { casesOf } from "../suites/index.js";
import { type BrowserFlags, browserCommand, browserSuites } from "./options.js";
import { runInBrowser } from "./run.js";

const examples = `
Examples:
  pnpm bench:browser
  pnpm bench:browser gemm-4bit --shape 1x4096x4096 --runs 5 --peers onnxruntime-web
  pnpm bench:browser dequantize --adapter gpu --json dequantize.json

Exit codes: 0 measured, 1 something could not be measured, 2 usage.
`;

/** Runs a command line; resolves to the exit code. */
export async function runBrowserProgram(args: readonly string[]): Promise<number> {
  const command = browserCommand().exitOverride().addHelpText("after", examples);
  let code: number = exitCodes.done;
  command.action(async (suites: string[], flags: BrowserFlags) => {
    code = await bench(suites.length > 0 ? suites : ["gemm-4bit", "startup"], flags);
  });
  try {
    await command.parseAsync(args, { from: "user" });
    return code;
  } catch (thrown) {
    // Commander has printed help or the usage error by now.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    process.stderr.write(`error: ${tell(thrown)}\n`);
    return exitCodeOf(thrown);
  }
}

async function bench(suites: readonly string[], flags: BrowserFlags): Promise<number> {
  const { adapter, chromium, runs, peers } = flags;
  const report = await runInBrowser({
    specs: browserSpecs(suites, flags),
    withStartup: suites.includes("startup"),
    settings: { rounds: runs, peers },
    adapter,
    ...(chromium !== undefined && { chromium }),
    bundling: { conditions: process.execArgv.includes("--conditions=@halfbyte/source") ? ["@halfbyte/source"] : [] },
    progress: (line) => void process.stderr.write(`${line}\n`),
  });
  writeReport(report, flags);
  return report.failures.length > 0 ? exitCodes.failed : exitCodes.done;
}

/** What runs in the page. Throws INVALID_ARGUMENT for a suite that does not. */
export function browserSpecs(suites: readonly string[], { shape, format, dtype, cold }: BrowserFlags): Spec[] {
  const known = suites.map((name) => browserSuites.find((suite) => suite === name) ?? unknownSuite(name));
  return known
    .filter((suite) => suite !== "startup")
    .flatMap((suite) =>
      casesOf(suite, {
        backend: "webgpu",
        threads: [1],
        gigabytes: 1,
        dtypes: dtype,
        ...(shape && { shapes: shape }),
        ...(format && { formats: format }),
      }),
    )
    .filter(({ temperature, suite }) => cold || temperature === "warm" || suite === "decode");
}

function unknownSuite(name: string): never {
  throw halfbyteError("INVALID_ARGUMENT", `There is no suite "${name}" in a browser. Use ${browserSuites.join(", ")}.`);
}
