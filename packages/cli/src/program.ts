/** The command line: which commands there are, and what is common to all of them. */
import { version } from "@halfbyte/core";
import { Command, CommanderError } from "commander";
import { compareCommand } from "./commands/compare.js";
import { dequantizeCommand } from "./commands/dequantize.js";
import { doctorCommand } from "./commands/doctor.js";
import { emitCommand } from "./commands/emit.js";
import { inspectCommand } from "./commands/inspect.js";
import { libsCommand } from "./commands/libs.js";
import { monitorCommand } from "./commands/monitor.js";
import { quantizeCommand } from "./commands/quantize.js";
import { selftestCommand } from "./commands/selftest.js";
import { exitCodes, tellFailure } from "./exit.js";

const examples = `
Examples:
  halfbyte quantize ./SmolLM2-135M -o ./SmolLM2-135M-nf4 --format nf4 --double-quant
  halfbyte quantize model.safetensors -o model-int8.safetensors --format int8
  halfbyte inspect ./SmolLM2-135M-nf4
  halfbyte compare ./SmolLM2-135M ./SmolLM2-135M-nf4
  halfbyte dequantize ./SmolLM2-135M-nf4 -o ./SmolLM2-135M-float
  halfbyte selftest --backend reference --vectors ./golden
  halfbyte doctor
  halfbyte libs
  halfbyte monitor --prometheus 127.0.0.1:9400
  halfbyte emit dockerfile --cuda 12.4 -o Dockerfile

Exit codes: 0 done, 1 failed, 2 usage, 3 refused (the output exists, an override is wrong), 130 interrupted.
`;

function createProgram(): Command {
  const program = new Command("halfbyte")
    .description("bitsandbytes for JavaScript: quantize, inspect, compare and verify checkpoints without Python.")
    .version(version)
    .showHelpAfterError("(halfbyte --help shows the commands)")
    .addHelpText("after", examples);
  for (const command of commands()) program.addCommand(command);
  for (const command of withSubcommands(program)) command.exitOverride();
  return program;
}

const commands = (): Command[] => [
  quantizeCommand(),
  dequantizeCommand(),
  inspectCommand(),
  compareCommand(),
  selftestCommand(),
  doctorCommand(),
  libsCommand(),
  monitorCommand(),
  emitCommand(),
];

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)];

/** Runs a command line; resolves to the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : exitCodes.done;
  } catch (thrown) {
    // Commander has printed help, version or the usage error by now.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return tellFailure(thrown, args.includes("--json"));
  }
}
