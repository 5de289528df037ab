/** The options of `pnpm bench:browser`. */
import { type Float, formatNames } from "@halfbyte/core";
import { Command, Option } from "commander";
import { floats, listOf, oneOf, option, parsePeers, parseShape, parseWhole } from "../options.js";
import type { PeerFamily } from "../peers/families.js";
import type { Dimensions, SuiteName } from "../spec.js";
import { portableSuites } from "../suites/portable.js";

/** `startup`: the first product of a page. */
export const browserSuites = [...(Object.keys(portableSuites) as SuiteName[]), "startup"] as const;

/** `auto`: what the browser gives; `software`: SwiftShader; `gpu`: the machine's, or none. */
export const adapterChoices = ["auto", "software", "gpu"] as const;
export type AdapterChoice = (typeof adapterChoices)[number];

export interface BrowserFlags {
  readonly shape?: Dimensions[];
  readonly format?: string[];
  readonly dtype: Float[];
  readonly cold?: true;
  readonly peers: PeerFamily[];
  readonly runs: number;
  readonly adapter: AdapterChoice;
  readonly chromium?: string;
  readonly json?: true | string;
  readonly html?: string;
  readonly record?: string;
}

/** Of the GPU's peers. */
const browserPeers: readonly PeerFamily[] = ["onnxruntime-web", "tfjs", "gpu.js", "plain-js"];

const defaultShapes = "1x4096x4096,128x4096x4096";

export function browserCommand(): Command {
  return new Command("bench:browser")
    .description(
      "How fast halfbyte's WebGPU backend is in headless Chromium, beside other libraries on the same adapter.",
    )
    .argument("[suites...]", `${browserSuites.join(", ")}; default: gemm-4bit startup`)
    .addOption(option("--shape <list>", `MxNxK; gemm-4bit: ${defaultShapes}`, listOf(parseShape)))
    .addOption(option("--format <list>", "formats, for example nf4,fp4", listOf(oneOf("format", formatNames()))))
    .addOption(
      option("--dtype <list>", `dtypes of activations: ${floats.join(", ")}`, listOf(oneOf("dtype", floats))).default(
        undefined,
        "float32",
      ),
    )
    .addOption(new Option("--cold", "cases that go round copies of the weight, too"))
    .addOption(
      option("--peers <list>", `all, none, or some of ${browserPeers.join(", ")}`, parsePeers).default(
        browserPeers,
        "all",
      ),
    )
    .addOption(option("--runs <n>", "turns of each measurement", (word) => parseWhole(word, 1000)).default(11))
    .addOption(
      new Option("--adapter <which>", "which adapter Chromium shall use").choices(adapterChoices).default("auto"),
    )
    .addOption(
      new Option("--chromium <path>", "the browser's executable; default: CHROMIUM_PATH, else the installed one"),
    )
    .addOption(new Option("--json [file]", "the report as JSON, into a file or on stdout in place of the tables"))
    .addOption(new Option("--html <file>", "the report with charts, a page that opens offline"))
    .hook("preAction", (command) => {
      const { dtype, shape } = command.opts<Partial<BrowserFlags>>();
      if (dtype === undefined) command.setOptionValue("dtype", ["float32"]);
      const isDefault = command.args.length === 0 || command.args.includes("gemm-4bit");
      if (shape === undefined && isDefault) command.setOptionValue("shape", defaultShapes.split(",").map(parseShape));
    });
}
