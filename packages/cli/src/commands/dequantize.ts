/** halfbyte dequantize: back to plain floats. */
import { dequantizeCheckpoint, type Float } from "@halfbyte/core";
import { folderSink, singleFileSink } from "@halfbyte/core/node";
import { Command } from "commander";
import { openNamed } from "../backend.js";
import { fromUser, isSingleFile, openInput } from "../input.js";
import { interruptible } from "../interrupt.js";
import { backendOption, floatOption, forceOption, jsonOption, requireDistinct } from "../options.js";
import { bytes, printJson, printLine } from "../print.js";
import { withProgress } from "../progress.js";

interface Flags {
  readonly output: string;
  readonly dtype?: Float;
  readonly backend: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function dequantizeCommand(): Command {
  return new Command("dequantize")
    .description("decode a bitsandbytes checkpoint to plain floats")
    .argument("<input>", "a folder, a .safetensors file, or an http(s) URL of a quantized model")
    .requiredOption("-o, --output <path>", "a new folder, or a .safetensors file for a single-file input")
    .addOption(floatOption("--dtype <dtype>", "of the weights (default: what they were quantized from)"))
    .addOption(backendOption())
    .addOption(forceOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  halfbyte dequantize ./model-nf4 -o ./model-bf16 --dtype bfloat16\n")
    .action((input: string, flags: Flags) => interruptible((signal) => dequantize(input, flags, signal)));
}

async function dequantize(input: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const to = fromUser(flags.output);
  requireDistinct(fromUser(input), to);
  const repository = await openInput(input);
  const asFile = (await isSingleFile(input)) && to.endsWith(".safetensors");
  const backend = await openNamed(flags.backend, signal);
  try {
    const sink = await (asFile ? singleFileSink : folderSink)(to, { force: flags.force ?? false });
    const options = { backend, signal, ...(flags.dtype && { dtype: flags.dtype }) };
    const report = await withProgress("decoding", flags.json ?? false, `wrote ${flags.output}`, (onProgress) =>
      dequantizeCheckpoint(repository, sink, { ...options, onProgress }),
    );
    if (flags.json) printJson({ input, output: flags.output, backend: backend.name, tier: backend.tier, ...report });
    else printLine(`${report.weights.length} weights decoded: ${bytes(report.bytesOut)}`);
  } finally {
    await backend.dispose();
  }
}
