/** halfbyte doctor: whether CUDA can be used here, by which library, and if not, why and what to do. */
import { cpu } from "@halfbyte/backend-cpu";
import type { Preference } from "@halfbyte/backend-cuda";
import { Command, Option } from "commander";
import { doctorReport, reportLines } from "../doctor/report.js";
import { interruptible } from "../interrupt.js";
import { maskHome } from "../mask-home.js";
import { jsonOption } from "../options.js";
import { printJson, printLine } from "../print.js";

interface Flags {
  readonly backend?: "cuda";
  readonly prefer?: Preference;
  readonly probe: boolean;
  readonly trace?: boolean;
  readonly json?: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("say whether CUDA can be used here, by which library, and if not, why and what to do")
    .addOption(new Option("--backend <name>", "asks for this backend: then its absence is a failure").choices(["cuda"]))
    .addOption(
      new Option(
        "--prefer <what>",
        "as cuda({ prefer }): the framework's version, or none newer than the driver",
      ).choices(["host", "driver"] satisfies Preference[]),
    )
    .option("--no-probe", "try no library, only look")
    .option("--trace", "tell the whole loading story on stderr, as HALFBYTE_LOG_LEVEL=debug does")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExit codes: 0 ok, degraded or cpu-only; 1 unusable; 3 override-invalid.\n\nExample:\n  halfbyte doctor --json\n",
    )
    .action((flags: Flags) => interruptible((signal) => doctor(flags, signal)));
}

async function doctor(
  { backend, prefer, probe, trace = false, json = false }: Flags,
  signal: AbortSignal,
): Promise<void> {
  if (trace) process.env["HALFBYTE_LOG_LEVEL"] = "debug";
  const { diagnose, nodeWorld, statuses } = await import("@halfbyte/backend-cuda");
  const [diagnosis, detection] = await Promise.all([
    diagnose(nodeWorld(), { signal, probe, ...(backend && { backend }), ...(prefer && { prefer }) }),
    cpu().detect(),
  ]);
  const report = maskHome(doctorReport(diagnosis, detection));
  if (json) printJson(report);
  else for (const line of reportLines(report)) printLine(line);
  process.exitCode = statuses[report.status].exitCode;
}
