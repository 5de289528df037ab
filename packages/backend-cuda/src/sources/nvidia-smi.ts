/**
 * nvidia-smi: what NVML says, for machines where only the program works. One line per GPU; the "CUDA Version" of its header is the
 * highest that the driver serves, not one that is installed.
 */
import { type Capability, parseCapability } from "../capability.js";
import { type AskOptions, type Context, type Detector, ignored, type Role, used } from "../detector.js";
import { driverVersionOf, headOf, linesOf, nameOf } from "../plain-text.js";
import { formatVersion, parseVersion, type RuntimeVersion } from "../runtime-version.js";
import type { RunResult, World } from "../world.js";

export interface SmiGpu {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Drivers before R510 do not tell it. */
  readonly capability?: Capability;
  readonly memoryBytes?: number;
}

export interface NvidiaSmiFinding {
  readonly gpus: readonly SmiGpu[];
  readonly cuda?: RuntimeVersion;
  /** It ran and said why it cannot. */
  readonly failed?: string;
  /** Library and kernel driver are of different versions. */
  readonly mismatch: boolean;
  /** Lines that are no GPU. */
  readonly strange: number;
}

/** The name comes last: it may hold a comma. */
const fields = ["driver_version", "compute_cap", "memory.total", "uuid", "name"] as const;
type Field = (typeof fields)[number];
const mostGpus = 1024;

export const nvidiaSmi: Detector<NvidiaSmiFinding> = {
  name: "nvidia-smi",
  depth: "full",
  async find(world, options) {
    const program = await programOf(world, options);
    if (!program) return undefined;
    const { header, run } = program;
    const { gpus, strange } = await query(run);
    const failed = header.code === 0 ? undefined : firstWords(header);
    const told = /CUDA Version\s*:\s*(\d{1,3}\.\d{1,3})/.exec(headOf(header.stdout));
    const cuda = told ? parseVersion(told[1]!) : undefined;
    const mismatch = /version mismatch/i.test(headOf(header.stdout) + headOf(header.stderr));
    return { gpus, strange, mismatch, ...(cuda && { cuda }), ...(failed !== undefined && { failed }) };
  },
  value({ gpus, cuda }) {
    const driver = gpus[0] && `driver ${gpus[0].driver}`;
    const most = cuda && `CUDA up to ${formatVersion(cuda)}`;
    return [driver, most, ...gpus.map(sayGpu)].filter(Boolean).join(", ") || null;
  },
  trouble: ({ failed, strange }) =>
    failed ?? (strange > 0 ? `${strange} lines of its answer describe no GPU` : undefined),
  role: roleOf,
};

const sayGpu = ({ name, capability }: SmiGpu): string => (capability ? `${name} (${formatVersion(capability)})` : name);

type Run = (...args: readonly string[]) => Promise<RunResult>;

/** The first of its names that can be started, with what it prints when it is asked nothing. */
async function programOf(
  world: World,
  { limitMs, signal }: AskOptions,
): Promise<{ header: RunResult; run: Run } | undefined> {
  for (const name of programNames(world)) {
    const run: Run = (...args) => world.run(name, args, { limitMs, signal });
    try {
      return { header: await run(), run };
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown;
    }
  }
  return undefined;
}

/** On Windows by its whole path: a bare name would be looked for in the current folder first. */
function programNames({ platform, env }: Pick<World, "platform" | "env">): readonly string[] {
  if (platform !== "win32") return ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"];
  const windows = env["SystemRoot"] ?? "C:\\Windows";
  const programs = env["ProgramFiles"] ?? "C:\\Program Files";
  return [`${windows}\\System32\\nvidia-smi.exe`, `${programs}\\NVIDIA Corporation\\NVSMI\\nvidia-smi.exe`];
}

const isMissing = (thrown: unknown): boolean =>
  thrown instanceof Error && "code" in thrown && (thrown.code === "ENOENT" || thrown.code === "EACCES");

const firstWords = ({ code, stdout, stderr }: RunResult): string =>
  linesOf(`${stdout}\n${stderr}`)
    .find((line) => line.trim() !== "")
    ?.slice(0, 200) ?? `it ended with code ${code}`;

/** An old driver refuses the whole query for a field that it does not know. */
async function query(run: Run): Promise<Pick<NvidiaSmiFinding, "gpus" | "strange">> {
  const all = await ask(run, fields);
  if (all.code === 0) return gpusOf(all.stdout, fields);
  if (!/not a valid field/i.test(headOf(all.stdout) + headOf(all.stderr))) return { gpus: [], strange: 0 };
  const fewer = fields.filter((field) => field !== "compute_cap");
  const { code, stdout } = await ask(run, fewer);
  return code === 0 ? gpusOf(stdout, fewer) : { gpus: [], strange: 0 };
}

const ask = (run: Run, asked: readonly Field[]): Promise<RunResult> =>
  run(`--query-gpu=${asked.join(",")}`, "--format=csv,noheader,nounits");

function gpusOf(text: string, asked: readonly Field[]): Pick<NvidiaSmiFinding, "gpus" | "strange"> {
  const lines = linesOf(text, mostGpus).filter((line) => line.trim() !== "");
  const gpus = lines.map((line, index) => gpuOf(line, asked, index)).filter((gpu) => gpu !== undefined);
  return { gpus, strange: lines.length - gpus.length };
}

function gpuOf(line: string, asked: readonly Field[], index: number): SmiGpu | undefined {
  const cells = line.split(",").map((cell) => cell.trim());
  const name = nameOf(cells.slice(asked.length - 1).join(", "));
  const cell = (field: Field): string => (asked.includes(field) ? (cells[asked.indexOf(field)] ?? "") : "");
  const driver = driverVersionOf(cell("driver_version"));
  if (driver === undefined || name === undefined) return undefined;
  const capability = parseDotted(cell("compute_cap"));
  const megabytes = /^\d{1,8}$/.test(cell("memory.total")) ? Number(cell("memory.total")) : 0;
  return {
    id: nameOf(cell("uuid")) ?? String(index),
    name,
    driver,
    ...(capability && { capability }),
    ...(megabytes > 0 && { memoryBytes: megabytes * 2 ** 20 }),
  };
}

const parseDotted = (text: string): Capability | undefined => (text.includes(".") ? parseCapability(text) : undefined);

function roleOf(found: NvidiaSmiFinding | undefined, { facts, found: { nvml, kernelDriver } }: Context): Role {
  if (!found) return ignored("the program is not here");
  if (found.mismatch) return used("what the driver's libraries say of its kernel module");
  if (nvml?.driver === undefined && kernelDriver === undefined && facts.kernelDriver === found.gpus[0]?.driver)
    return facts.kernelDriver === undefined ? ignored("it tells nothing") : used("the kernel driver's version");
  return ignored("it repeats what NVML says; its CUDA version is the highest that the driver serves");
}
