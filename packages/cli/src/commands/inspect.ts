/** halfbyte inspect: what a checkpoint holds. */
import { type Checkpoint, logicalNames, storedBitsPerWeight } from "@halfbyte/core";
import { Command } from "commander";
import { withCheckpoint } from "../input.js";
import { jsonOption } from "../options.js";
import { bytes, printJson, printLine, printTable } from "../print.js";

interface InspectedTensor {
  readonly name: string;
  readonly file: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Stored dtype, or the format of a quantized weight. */
  readonly type: string;
  readonly quantization?: {
    readonly blockSize: number;
    readonly nested: boolean;
    readonly dtype: string;
    readonly storage: string;
    readonly bitsPerWeight: number;
  };
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("list the tensors of a checkpoint, quantized weights with their format")
    .argument("<input>", "a folder, a .safetensors file, or an http(s) URL")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  halfbyte inspect ./model-nf4\n")
    .action((input: string, { json }: { json?: boolean }) =>
      withCheckpoint(input, (checkpoint) => inspect(input, checkpoint, json ?? false)),
    );
}

async function inspect(input: string, checkpoint: Checkpoint, json: boolean): Promise<void> {
  const tensors: InspectedTensor[] = [];
  for (const name of logicalNames(checkpoint)) tensors.push(await inspectTensor(checkpoint, name));
  const total = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const quantization = checkpoint.config?.["quantization_config"] ?? null;
  if (json) return printJson({ input, tensors, bytes: total, quantizationConfig: quantization });
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.type,
    tensor.shape.join("×"),
    describe(tensor),
    bytes(tensor.bytes),
  ]);
  printTable(["tensor", "type", "shape", "quantization", "size"], rows, [4]);
  const quantized = tensors.filter((tensor) => tensor.quantization).length;
  printLine(`${tensors.length} tensors, ${quantized} of them quantized: ${bytes(total)}`);
}

async function inspectTensor(checkpoint: Checkpoint, name: string): Promise<InspectedTensor> {
  const { file, shape, dtype, byteLength } = checkpoint.entry(name);
  if (!checkpoint.quantizedNames().includes(name)) return { name, file, shape, type: dtype, bytes: byteLength };
  const host = await checkpoint.hostWeight(name);
  const quantization = {
    blockSize: host.blockSize,
    nested: host.scales.kind === "nested",
    dtype: host.dtype,
    storage: dtype,
    bitsPerWeight: storedBitsPerWeight(host),
  };
  const side =
    host.scales.kind === "nested" ? host.scales.nestedAbsmax.byteLength + host.scales.nestedCode.byteLength : 0;
  return {
    name,
    file,
    shape: host.shape,
    type: host.format,
    bytes: byteLength + host.scales.absmax.byteLength + side,
    quantization,
  };
}

function describe({ quantization }: InspectedTensor): string {
  if (!quantization) return "";
  const block =
    quantization.blockSize === 0
      ? "per row"
      : `block ${quantization.blockSize}${quantization.nested ? ", double" : ""}`;
  return `${block}, ${quantization.bitsPerWeight.toFixed(3)} bits/weight, from ${quantization.dtype}`;
}
