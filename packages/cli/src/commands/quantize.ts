/** halfbyte quantize: a checkpoint goes in, a bitsandbytes checkpoint comes out. */
import { rename, writeFile } from "node:fs/promises";
import {
  type CheckpointReport,
  closeShards,
  type Float,
  type Profile,
  planQuantization,
  type QuantizeCheckpointOptions,
  type QuantStorage,
  quantizeCheckpoint,
} from "@halfbyte/core";
import { folderSink, singleFileSink } from "@halfbyte/core/node";
import { Command } from "commander";
import { openNamed } from "../backend.js";
import { fromUser, isSingleFile, openInput } from "../input.js";
import { interruptible } from "../interrupt.js";
import {
  backendOption,
  collect,
  floatOption,
  forceOption,
  formatOption,
  jsonOption,
  parseNumber,
  profileOption,
  requireDistinct,
  storageOption,
} from "../options.js";
import { bytes, printJson, printLine, printTable, significant } from "../print.js";
import { withProgress } from "../progress.js";

interface Flags {
  readonly output?: string;
  readonly format: string;
  readonly blockSize?: number;
  readonly doubleQuant?: boolean;
  readonly computeDtype?: Float;
  readonly quantStorage?: QuantStorage;
  readonly threshold?: number;
  readonly skip?: string[];
  readonly only?: string[];
  readonly backend: string;
  readonly profile?: Profile;
  readonly report?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
  halfbyte quantize ./model -o ./model-nf4 --format nf4 --double-quant --compute-dtype bfloat16
  halfbyte quantize ./model -o ./model-int8 --format int8 --report errors.json
  halfbyte quantize ./model --format nf4 --skip "model.layers.0.**" --dry-run
`;

export function quantizeCommand(): Command {
  return new Command("quantize")
    .description("quantize the linear weights of a safetensors model and write a bitsandbytes checkpoint")
    .argument("<input>", "a folder, a .safetensors file, or an http(s) URL of a model")
    .option("-o, --output <path>", "a new folder, or a .safetensors file for a single-file input")
    .addOption(formatOption().makeOptionMandatory())
    .option("--block-size <n>", "elements per scale, 4-bit formats only (default: 64)", parseNumber)
    .option("--double-quant", "quantize the scales too: 4.13 instead of 4.5 bits per weight")
    .addOption(floatOption("--compute-dtype <dtype>", "recorded for the runtime (default: the dtype of the weights)"))
    .addOption(storageOption())
    .option("--threshold <t>", "LLM.int8() outlier threshold, recorded for the runtime (default: 6)", parseNumber)
    .option("--skip <glob>", "leave these tensors as they are (repeatable)", collect)
    .option("--only <glob>", "quantize these tensors and no others (repeatable)", collect)
    .addOption(backendOption())
    .addOption(profileOption())
    .option("--report <file>", "write the per-tensor report as JSON")
    .option("--dry-run", "print what would be done with every tensor, and why")
    .addOption(forceOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(async (input: string, flags: Flags, command: Command) => {
      if (flags.dryRun) return dryRun(input, flags);
      if (flags.output === undefined) command.error("error: required option '-o, --output <path>' not specified");
      await interruptible((signal) => quantize(input, flags.output!, flags, signal));
    });
}

function optionsOf(flags: Flags): QuantizeCheckpointOptions {
  const { format, blockSize, doubleQuant: nested, computeDtype, quantStorage, threshold, skip, only, profile } = flags;
  const given = { blockSize, nested, computeDtype, quantStorage, threshold, skip, only, profile };
  return { format, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

async function dryRun(input: string, flags: Flags): Promise<void> {
  const plan = await planQuantization(await openInput(input), optionsOf(flags));
  await closeShards(plan.shards.shards);
  const tensors = plan.tensors.map(({ entry, quantize, reason }) => ({
    name: entry.name,
    dtype: entry.dtype,
    shape: entry.shape,
    action: quantize ? "quantize" : "copy",
    reason,
  }));
  if (flags.json)
    return printJson({
      input,
      format: plan.format,
      blockSize: plan.blockSize,
      quantizationConfig: plan.quantization,
      tensors,
    });
  printTable(
    ["action", "tensor", "stored as", "why"],
    tensors.map(({ name, dtype, shape, action, reason }) => [action, name, `${dtype} [${shape.join(", ")}]`, reason]),
  );
}

async function quantize(input: string, output: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const [from, to] = [fromUser(input), fromUser(output)];
  requireDistinct(from, to);
  const repository = await openInput(input);
  const asFile = (await isSingleFile(input)) && to.endsWith(".safetensors");
  const backend = await openNamed(flags.backend, signal);
  try {
    const sink = await (asFile ? singleFileSink : folderSink)(to, { force: flags.force ?? false });
    const options = { ...optionsOf(flags), backend, signal };
    const report = await withProgress(
      `quantizing to ${flags.format}`,
      flags.json ?? false,
      `wrote ${output}`,
      (onProgress) => quantizeCheckpoint(repository, sink, { ...options, onProgress }),
    );
    const result = { input, output, backend: backend.name, tier: backend.tier, ...report };
    if (flags.report) await writeReport(fromUser(flags.report), result);
    if (flags.json) printJson(result);
    else printReport(report, backend.name);
  } finally {
    await backend.dispose();
  }
}

async function writeReport(path: string, report: object): Promise<void> {
  await writeFile(`${path}.partial`, `${JSON.stringify(report, null, 2)}\n`, { flush: true } as object);
  await rename(`${path}.partial`, path);
}

function printReport(report: CheckpointReport, backend: string): void {
  const quantized = report.tensors.filter(({ action }) => action === "quantized");
  const rows = quantized.map(({ name, shape, bitsPerWeight, error }) => [
    name,
    shape.join("×"),
    significant(bitsPerWeight!),
    ...(error
      ? [significant(error.maxAbs), significant(error.rmse), error.sqnrDb.toFixed(2), error.cosine.toFixed(6)]
      : ["", "", "", ""]),
  ]);
  printTable(["weight", "shape", "bits/weight", "max abs", "RMSE", "SQNR dB", "cosine"], rows, [2, 3, 4, 5, 6]);
  const copied = report.tensors.filter(({ action }) => action === "copied");
  printLine(
    `${quantized.length} weights quantized, ${copied.length} tensors copied on backend ${backend}: ${bytes(report.bytesIn)} -> ${bytes(report.bytesOut)}`,
  );
  const experts = copied.filter(({ reason }) => reason.includes("three-dimensional"));
  if (experts.length > 0)
    printLine(`not quantized, three-dimensional (fused experts): ${experts.map(({ name }) => name).join(", ")}`);
  if (report.skippedFiles.length > 0)
    printLine(`not copied, the same weights in another form: ${report.skippedFiles.join(", ")}`);
}
