/** Options that several commands share, and readers of option values. */
import { type Float, formatNames, getFormat, halfbyteError, type Profile, type QuantStorage } from "@halfbyte/core";
import { InvalidArgumentError, Option } from "commander";

export const jsonOption = (): Option => new Option("--json", "print one JSON object on stdout, errors included");
export const backendOption = (): Option =>
  new Option("--backend <name>", "auto, or exactly this backend: reference, cpu, cuda, webgpu").default("auto");
export const forceOption = (): Option =>
  new Option("--force", "replace an existing output; it is kept until the new one stands");
export const profileOption = (): Option =>
  new Option(
    "--profile <name>",
    "whose bytes to write: reference (exact), cpu (bitsandbytes 0.50 on a CPU), cuda",
  ).choices(["reference", "cpu", "cuda"] satisfies Profile[]);

const floats: Float[] = ["float32", "float16", "bfloat16"];
export const floatOption = (flags: string, description: string): Option =>
  new Option(flags, description).choices(floats);
export const storageOption = (): Option =>
  new Option("--quant-storage <dtype>", "dtype that the packed bytes pretend to have").choices([
    "uint8",
    ...floats,
  ] satisfies QuantStorage[]);

/** Formats of `--format`: the 4-bit ones, and int8 for LLM.int8(). */
const quantizeFormats = (): string[] => [...formatNames().filter((name) => getFormat(name).bits === 4), "int8"];

export const formatOption = (): Option =>
  new Option("--format <name>", `${quantizeFormats().join(", ")} (int8 = LLM.int8() rows)`).argParser((name) => {
    if (quantizeFormats().includes(name)) return name;
    throw new InvalidArgumentError(`There is no format "${name}". Formats: ${quantizeFormats().join(", ")}.`);
  });

/** A non-negative number. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a number that is not negative.");
}

/** Collects a repeatable option. */
export const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

export function requireDistinct(input: string, output: string): void {
  if (input !== output) return;
  throw halfbyteError("INVALID_ARGUMENT", "Input and output are the same path.", {
    remedy: "Choose another output: the input is never changed.",
  });
}
