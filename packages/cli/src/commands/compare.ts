/** halfbyte compare: are two checkpoints the same, and if not, how far apart? */
import { compareCheckpoints, type TensorComparison } from "@halfbyte/core";
import { Command } from "commander";
import { exitCodes } from "../exit.js";
import { withCheckpoint } from "../input.js";
import { interruptible } from "../interrupt.js";
import { jsonOption } from "../options.js";
import { printJson, printLine, printTable, significant } from "../print.js";

export function compareCommand(): Command {
  return new Command("compare")
    .description(
      "compare two checkpoints tensor by tensor, decoding what is quantized; exit code 1 when a tensor is missing or incomparable",
    )
    .argument("<a>", "the original")
    .argument("<b>", "measured against it")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  halfbyte compare ./model ./model-nf4\n")
    .action((a: string, b: string, { json }: { json?: boolean }) =>
      interruptible((signal) => compare(a, b, json ?? false, signal)),
    );
}

async function compare(a: string, b: string, json: boolean, signal: AbortSignal): Promise<void> {
  const rows: TensorComparison[] = [];
  await withCheckpoint(a, (left) =>
    withCheckpoint(b, async (right) => {
      for await (const row of compareCheckpoints(left, right, signal)) rows.push(row);
    }),
  );
  const count = (status: TensorComparison["status"]) => rows.filter((row) => row.status === status).length;
  const summary = {
    identical: count("identical"),
    close: count("close"),
    different: count("different"),
    onlyA: count("only-a"),
    onlyB: count("only-b"),
  };
  if (json) printJson({ a, b, summary, tensors: rows });
  else printComparison(rows, summary);
  if (summary.different + summary.onlyA + summary.onlyB > 0) process.exitCode = exitCodes.failed;
}

function printComparison(rows: readonly TensorComparison[], summary: Readonly<Record<string, number>>): void {
  const changed = rows.filter(({ status }) => status !== "identical");
  const cells = changed.map(({ name, status, a = "", b = "", error }) => [
    name,
    status,
    a,
    b,
    ...(error ? [significant(error.maxAbs), significant(error.rmse), error.sqnrDb.toFixed(2)] : ["", "", ""]),
  ]);
  if (changed.length > 0) printTable(["tensor", "status", "a", "b", "max abs", "RMSE", "SQNR dB"], cells, [4, 5, 6]);
  printLine(
    `${summary["identical"]} identical, ${summary["close"]} close, ${summary["different"]} different, ${summary["onlyA"]} only in a, ${summary["onlyB"]} only in b`,
  );
}
