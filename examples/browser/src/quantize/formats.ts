/** The formats that bitsandbytes checkpoints have, and the words for them. */
import { type Format, getFormat } from "@halfbyte/core";
import type { FormatChoice } from "./quantize-calls.js";

export interface OfferedFormat {
  /** As `halfbyte quantize --format` knows it. */
  readonly name: string;
  readonly record: Format;
  readonly says: string;
}

export const offeredFormats: readonly OfferedFormat[] = [
  { name: "nf4", record: getFormat("nf4"), says: "Quantiles of the normal distribution. The usual choice." },
  { name: "fp4", record: getFormat("fp4"), says: "A float of four bits: finer near zero, coarse at the ends." },
  { name: "af4", record: getFormat("af4"), says: "Made for blocks of 64. Few loaders know it." },
  { name: "int8", record: getFormat("int8-rowwise"), says: "LLM.int8(): even steps, one scale per row." },
];

export const formatNamed = (name: string): OfferedFormat => offeredFormats.find((format) => format.name === name)!;

/** What the command line would be asked for: of one file, or of a folder. */
export const commandOf = (source: string, { format, blockSize, nested }: FormatChoice): string =>
  [
    `halfbyte quantize ${source} -o ${resultName(source, format)} --format ${format}`,
    ...(blockSize === undefined || blockSize === 64 ? [] : [`--block-size ${blockSize}`]),
    ...(nested ? ["--double-quant"] : []),
  ].join(" ");

export const resultName = (source: string, format: string): string =>
  source.replace(/^(.*?)(\.safetensors)?$/, `$1-${format}$2`);

/** nf4, blocks of 64, scales quantized. */
export const described = ({ format, blockSize, nested }: FormatChoice): string =>
  [
    format,
    ...(blockSize === undefined ? [] : [`blocks of ${blockSize}`]),
    ...(nested ? ["scales quantized"] : []),
  ].join(", ");
