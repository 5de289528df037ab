/** halfbyte selftest: a backend against golden vectors made by Python bitsandbytes. */
import { access } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runVectors, type Summary } from "@halfbyte/conformance/vectors";
import { type Backend, halfbyteError } from "@halfbyte/core";
import { Command, Option } from "commander";
import { openNamed } from "../backend.js";
import { exitCodes } from "../exit.js";
import { fromUser } from "../input.js";
import { interruptible } from "../interrupt.js";
import { backendOption, jsonOption } from "../options.js";
import { printJson, printLine, printTable } from "../print.js";

interface Flags {
  readonly backend: string;
  readonly vectors?: string;
  /** Golden files were made on a CPU: the CUDA profile has none. */
  readonly profile?: "reference" | "cpu";
  readonly json?: boolean;
}

export function selftestCommand(): Command {
  return new Command("selftest")
    .description("run golden vectors on a backend; exit code 1 unless every case passes")
    .addOption(backendOption())
    .option("--vectors <dir>", "a folder in the golden format, at any depth (default: ./golden here or above)")
    .addOption(
      new Option("--profile <name>", "default: cpu on the reference backend, reference on every other").choices([
        "reference",
        "cpu",
      ]),
    )
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  halfbyte selftest --backend reference --vectors ./golden --json\n")
    .action((flags: Flags) => interruptible((signal) => selftest(flags, signal)));
}

async function selftest({ backend: name, vectors, profile, json = false }: Flags, signal: AbortSignal): Promise<void> {
  const folder = vectors === undefined ? await findGolden(fromUser(".")) : fromUser(vectors);
  const backend = await openNamed(name, signal);
  try {
    const summary = await runVectors(backend, { folder, signal, ...(profile && { profile }) });
    if (json) printJson(summary);
    else printSummary(summary, backend);
    if (!passedAll(summary)) process.exitCode = exitCodes.failed;
  } finally {
    await backend.dispose();
  }
}

/** The nearest folder `golden`, upwards. */
async function findGolden(start: string): Promise<string> {
  for (let folder = start; ; folder = dirname(folder)) {
    const candidate = join(folder, "golden");
    if (
      await access(candidate).then(
        () => true,
        () => false,
      )
    )
      return candidate;
    if (dirname(folder) === folder) break;
  }
  throw halfbyteError("VECTORS_NOT_FOUND", "There is no folder `golden` here or above.", {
    remedy: "Pass --vectors <dir>; the repository of halfbyte holds a set.",
  });
}

const passedAll = ({ operations }: Summary): boolean =>
  Object.values(operations).every(({ cases, passed }) => cases === passed);

function printSummary(summary: Summary, backend: Backend): void {
  const rows = Object.entries(summary.operations).map(([op, { cases, passed, failed, firstFailure }]) => [
    op,
    String(cases),
    String(passed),
    String(failed),
    firstFailure
      ? `${firstFailure.case} ${firstFailure.output}[${firstFailure.index}]: found ${firstFailure.found}, expected ${firstFailure.expected} (${firstFailure.bound})`
      : "",
  ]);
  printTable(["operation", "cases", "passed", "failed", "first failure"], rows, [1, 2, 3]);
  printLine(
    `backend ${backend.name} (${backend.tier}), profile ${summary.profile}: ${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped, plus ${summary.checkpoints.passed} of ${summary.checkpoints.cases} checkpoints`,
  );
}
