/** Readers of option values. What they refuse is a usage error. */
import { cpus } from "node:os";
import { type Accuracy, type Float, formatNames } from "@halfbyte/core";
import { Command, InvalidArgumentError, Option } from "commander";
import { architectures } from "./architectures.js";
import { type PeerFamily, peerFamilies } from "./peers/families.js";
import { backendNames } from "./session.js";
import { type Dimensions, suiteNames } from "./spec.js";

export const suiteChoices = [...suiteNames, "targets"] as const;
export type SuiteChoice = (typeof suiteChoices)[number];

export interface Flags {
  readonly backend: string;
  readonly format?: string[];
  readonly dtype?: Float[];
  readonly shape?: Dimensions[];
  readonly model?: string[];
  readonly threads: number[];
  readonly accuracy?: Accuracy;
  readonly peers: PeerFamily[];
  readonly runs: number;
  readonly size: number;
  readonly json?: true | string;
  readonly html?: string;
  readonly record?: string;
}

export const floats: readonly Float[] = ["float32", "float16", "bfloat16"];

const refuse = (message: string): never => {
  throw new InvalidArgumentError(message);
};

/** A comma-separated list; the option may also be repeated. */
export const listOf =
  <T>(parse: (word: string) => T) =>
  (text: string, previous: T[] = []): T[] => [...previous, ...text.split(",").map((word) => parse(word.trim()))];

export const oneOf =
  <T extends string>(what: string, allowed: readonly T[]) =>
  (word: string): T =>
    allowed.find((name) => name === word) ?? refuse(`There is no ${what} "${word}". Use ${allowed.join(", ")}.`);

const largestSide = 2 ** 20;

/** 1x4096x4096. Throws InvalidArgumentError. */
export function parseShape(word: string): Dimensions {
  const [m, n, k, ...more] = word.split(/[x×]/).map((side) => (/^\d{1,7}$/.test(side) ? Number(side) : 0));
  const isShape =
    [m, n, k].every((side) => side !== undefined && side >= 1 && side <= largestSide) && more.length === 0;
  return isShape ? { m: m!, n: n!, k: k! } : refuse(`"${word}" is no shape. Write MxNxK, for example 1x4096x4096.`);
}

/** Throws InvalidArgumentError. */
export function parseWhole(word: string, limit: number): number {
  const value = /^\d+$/.test(word) ? Number(word) : 0;
  return value >= 1 && value <= limit ? value : refuse(`Expected a whole number from 1 to ${limit}, not "${word}".`);
}

/** all, none, or a list. Throws InvalidArgumentError. */
export function parsePeers(text: string): PeerFamily[] {
  if (text === "all") return [...peerFamilies];
  return text === "none" ? [] : listOf(oneOf("peer", peerFamilies))(text);
}

function parseName(word: string): string {
  return /^[\w.-]{1,64}$/.test(word) ? word : refuse("A record's name has letters, digits, dots and dashes only.");
}

function parseSize(word: string): number {
  const value = Number(word);
  return word.trim() !== "" && value > 0 && value <= 100
    ? value
    : refuse(`Expected gigabytes up to 100, not "${word}".`);
}

export const option = <T>(flags: string, description: string, parse: (text: string, previous: T) => T): Option =>
  new Option(flags, description).argParser(parse);

/** One thread, and all of them. */
const defaultThreads = (): number[] => [...new Set([1, cpus().length])];

export function benchCommand(): Command {
  const modelNames = architectures.map(({ name }) => name);
  return new Command("bench")
    .description("How fast halfbyte is on this machine, beside its floors and other libraries.")
    .argument("<suites...>", `${suiteChoices.join(", ")}`)
    .addOption(option("--backend <name>", backendNames.join(", "), oneOf("backend", backendNames)).default("cpu"))
    .addOption(option("--format <list>", "formats, for example nf4,fp4", listOf(oneOf("format", formatNames()))))
    .addOption(option("--dtype <list>", `dtypes of activations: ${floats.join(", ")}`, listOf(oneOf("dtype", floats))))
    .addOption(option("--shape <list>", "MxNxK, repeatable", listOf(parseShape)))
    .addOption(option("--model <list>", `suite decode: ${modelNames.join(", ")}`, listOf(oneOf("model", modelNames))))
    .addOption(
      option(
        "--threads <list>",
        "for example 1,2",
        listOf((word) => parseWhole(word, 1024)),
      ).default(undefined, "1 and as many as there are cores; not for webgpu"),
    )
    .addOption(
      new Option("--accuracy <name>", "of 4-bit products").choices(["exact", "fast", "turbo"] satisfies Accuracy[]),
    )
    .addOption(
      option("--peers <list>", `all, none, or some of ${peerFamilies.join(", ")}`, parsePeers).default(
        [...peerFamilies],
        "all",
      ),
    )
    .addOption(option("--runs <n>", "turns of each measurement", (word) => parseWhole(word, 1000)).default(11))
    .addOption(option("--size <gigabytes>", "suite checkpoint: size of the model", parseSize).default(2))
    .addOption(new Option("--json [file]", "the report as JSON, into a file or on stdout in place of the tables"))
    .addOption(new Option("--html <file>", "the report with charts, a page that opens offline"))
    .addOption(option("--record <name>", "write both to benchmarks/results/, as a figure of record", parseName))
    .hook("preAction", (command) => {
      const { threads, backend } = command.opts<Partial<Flags>>();
      // A GPU has its own.
      if (backend === "webgpu") command.setOptionValue("threads", [1]);
      else if (threads === undefined) command.setOptionValue("threads", defaultThreads());
    });
}
