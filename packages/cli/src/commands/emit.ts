/** halfbyte emit: files for containers and continuous integration, ready to run. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { halfbyteError } from "@halfbyte/core";
import { singleFileSink } from "@halfbyte/core/node";
import { Argument, Command, InvalidArgumentError } from "commander";
import { compose } from "../emit/compose.js";
import { cudaImageOf, imageName } from "../emit/cuda-images.js";
import { dockerfile } from "../emit/dockerfile.js";
import { githubActions } from "../emit/github-actions.js";
import { nodeMajors, type Template } from "../emit/template.js";
import { fromUser } from "../input.js";
import { jsonOption } from "../options.js";
import { printJson } from "../print.js";

const templates = {
  dockerfile,
  compose,
  "github-actions": githubActions,
} as const satisfies Readonly<Record<string, Template>>;
type TemplateName = keyof typeof templates;

interface Flags {
  readonly cuda: string;
  readonly node: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const examples = `
Templates:
${Object.entries<Template>(templates)
  .map(([name, { description }]) => `  ${name.padEnd(15)} ${description}`)
  .join("\n")}

Examples:
  halfbyte emit dockerfile --cuda 12.4 -o Dockerfile
  halfbyte emit compose -o compose.yaml
  halfbyte emit github-actions --node 24 -o .github/workflows/halfbyte.yml
`;

export function emitCommand(): Command {
  return new Command("emit")
    .description("write a Dockerfile, a Compose file or a GitHub Actions workflow for CUDA and Node")
    .addArgument(new Argument("<template>", "what to write").choices(Object.keys(templates)))
    .option("--cuda <version>", "CUDA version of the image", "12.4")
    .option("--node <version>", "Node, as a major or a whole version such as 22.12.0", parseNode, "22")
    .option("-o, --output <file>", "a new file; without it, the text goes to stdout")
    .option("--force", "replace an existing file; it is kept until the new one stands")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(emit);
}

function parseNode(text: string): string {
  const [, major] = /^(\d+)(?:\.\d+\.\d+)?$/.exec(text) ?? [];
  if (nodeMajors.some((known) => known === major)) return text;
  throw new InvalidArgumentError(`Expected ${nodeMajors.join(", ")}, or a whole version of one of them.`);
}

async function emit(name: TemplateName, { cuda, node, output, force = false, json }: Flags): Promise<void> {
  const image = cudaImageOf(cuda);
  const text = templates[name].text({ image, node });
  if (output !== undefined) await write(fromUser(output), text, force);
  if (json) return printJson({ template: name, cuda, node, image: imageName(image), output: output ?? null, text });
  if (output === undefined) process.stdout.write(text);
  else process.stderr.write(`wrote ${output}\n`);
}

/** Complete or absent, and never over a file that is there. */
async function write(path: string, text: string, force: boolean): Promise<void> {
  await refuseFolder(path);
  const bytes = new TextEncoder().encode(text);
  const sink = await singleFileSink(path, { force });
  try {
    const file = await sink.create(basename(path), bytes.byteLength);
    await file.write(0, bytes);
    await file.close();
    await sink.commit();
  } catch (thrown) {
    await sink.abort();
    throw thrown;
  }
}

/** --force replaces what is there; a whole folder is never meant. */
async function refuseFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return;
  throw halfbyteError("INVALID_ARGUMENT", `${path} is a folder.`, {
    remedy: "Name a file in it.",
    details: { file: path },
  });
}
