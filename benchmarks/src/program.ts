/** The command line of `pnpm bench`. */
import { halfbyteError } from "@halfbyte/core";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes, tell } from "./failure.js";
import { benchCommand, type Flags, type SuiteChoice, suiteChoices } from "./options.js";
import { writeReport } from "./report/write.js";
import { run } from "./run.js";
import type { Spec } from "./spec.js";
import { casesOf, unique, type Wish } from "./suites/index.js";
import { targetsOf } from "./targets.js";

const examples = `
Examples:
  pnpm bench targets
  pnpm bench gemm-4bit --shape 1x4096x4096 --threads 1 --peers none
  pnpm bench decode --model Llama-3.2-1B --json decode.json --html decode.html
  pnpm bench quantize dequantize --backend avx2
  pnpm bench gemm-4bit --backend webgpu --dtype float32 --shape 1x4096x4096,128x4096x4096

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
  writeReport(report, flags);
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
  suite === "targets" ? targetsOf(wish.backend).flatMap(({ cases }) => cases) : casesOf(suite, wish);

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
