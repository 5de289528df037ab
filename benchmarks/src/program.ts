/** The command line of `pnpm bench`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { halfbyteError } from "@halfbyte/core";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes, tell } from "./failure.js";
import { benchCommand, type Flags, type SuiteChoice, suiteChoices } from "./options.js";
import { htmlOf } from "./report/html.js";
import type { Report } from "./report/row.js";
import { printReport } from "./report/table.js";
import { run } from "./run.js";
import type { Spec } from "./spec.js";
import { casesOf, unique, type Wish } from "./suites/index.js";
import { targets } from "./targets.js";

const examples = `
Examples:
  pnpm bench targets
  pnpm bench gemm-4bit --shape 1x4096x4096 --threads 1 --peers none
  pnpm bench decode --model Llama-3.2-1B --json decode.json --html decode.html
  pnpm bench quantize dequantize --backend avx2

Exit codes: 0 measured, 1 something could not be measured, 2 usage.
`;

/** Runs a command line; resolves to the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const command = benchCommand().exitOverride().addHelpText("after", examples);
  let code: number = exitCodes.done;
  command.action(async (suites: string[], flags: Flags) => {
    code = await bench(suites, flags);
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

async function bench(suites: readonly string[], flags: Flags): Promise<number> {
  const settings = { rounds: flags.runs, peers: flags.peers };
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  const report = await run({ specs: specsOf(suites, flags), settings, progress });
  write(report, flags);
  return report.failures.length > 0 ? exitCodes.failed : exitCodes.done;
}

/** The cases of all suites. Throws INVALID_ARGUMENT for a suite that does not exist, and when no case is left. */
export function specsOf(suites: readonly string[], flags: Flags): Spec[] {
  const specs = unique(suites.flatMap((name) => specsOfSuite(expectSuite(name), wishOf(flags))));
  if (specs.length > 0) return specs;
  throw halfbyteError("INVALID_ARGUMENT", "No case is left by these options.", {
    remedy: "Drop one of --format, --dtype or --shape.",
  });
}

const specsOfSuite = (suite: SuiteChoice, wish: Wish): Spec[] =>
  suite === "targets" ? targets.flatMap(({ cases }) => cases) : casesOf(suite, wish);

function expectSuite(name: string): SuiteChoice {
  const found = suiteChoices.find((suite) => suite === name);
  if (found) return found;
  throw halfbyteError("INVALID_ARGUMENT", `There is no suite "${name}". Use ${suiteChoices.join(", ")}.`);
}

function wishOf({ backend, threads, format, dtype, shape, model, accuracy, size }: Flags): Wish {
  return {
    backend,
    threads,
    gigabytes: size,
    ...(format && { formats: format }),
    ...(dtype && { dtypes: dtype }),
    ...(shape && { shapes: shape }),
    ...(model && { models: model }),
    ...(accuracy && { accuracy }),
  };
}

/** Records lie in the repository, by name. */
const resultsFolder = join(import.meta.dirname, "..", "results");

function write(report: Report, { json, html, record }: Flags): void {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (json === true) process.stdout.write(text);
  else printReport(report);
  if (typeof json === "string") writeFileSync(fromUser(json), text);
  if (html !== undefined) writeFileSync(fromUser(html), htmlOf(report));
  if (record !== undefined) {
    mkdirSync(resultsFolder, { recursive: true });
    writeFileSync(join(resultsFolder, `${record}.json`), text);
    writeFileSync(join(resultsFolder, `${record}.html`), htmlOf(report));
  }
}

/** Relative paths mean the folder where the user typed the command. */
const fromUser = (path: string): string =>
  isAbsolute(path) ? path : resolve(process.env["INIT_CWD"] ?? process.cwd(), path);
