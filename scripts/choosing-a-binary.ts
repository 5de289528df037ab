/** docs/choosing-a-binary.md. Its tables are what the selection itself answers, so that they cannot say anything else. */
import { type Capability, parseCapability, runsByJit, runsNatively } from "../packages/backend-cuda/src/capability.js";
import { driverNeeded, driverShippedWith } from "../packages/backend-cuda/src/driver-floor.js";
import { libraryId } from "../packages/backend-cuda/src/library-name.js";
import { formatVersion, parseVersion, type RuntimeVersion } from "../packages/backend-cuda/src/runtime-version.js";
import {
  type HostRuntime,
  type Preference,
  type SelectableLibrary,
  selectLibrary,
} from "../packages/backend-cuda/src/select-library.js";
import { linux, shipped } from "../packages/backend-cuda/test/libraries.js";
import { notice, table } from "./markdown.js";

const versionOf = (text: string): RuntimeVersion => parseVersion(text)!;
const capabilityOf = (text: string): Capability => parseCapability(text)!;
const names = shipped.map(libraryId);

/** "12.4", or "12" where the framework tells its major only. */
function hostOf(text: string | undefined): { readonly host?: HostRuntime } {
  if (text === undefined) return {};
  const [major, minor] = text.split(".").map(Number) as [number, number?];
  return { host: { framework: "the framework", major, ...(minor !== undefined && { minor }) } };
}

interface Machine {
  readonly driver: string;
  readonly host?: string;
  readonly gpu?: string;
}

/** What is chosen, with a star when it is degraded. */
function choiceOf({ driver, host, gpu = "8.6" }: Machine, prefer: Preference): string {
  const facts = { system: linux, driver: versionOf(driver), gpus: [capabilityOf(gpu)], ...hostOf(host) };
  const { usable, candidates } = selectLibrary(shipped, facts, { prefer });
  if (!usable[0]) return "none";
  return `${libraryId(usable[0])}${candidates[0]!.degraded ? " \\*" : ""}`;
}

const drivers = [
  "10.2",
  ...["11.0", "11.1", "11.2", "11.4", "11.6", "11.7", "11.8"],
  ...["12.0", "12.1", "12.2", "12.3", "12.4", "12.5", "12.6", "12.8", "12.9"],
  ...["13.0", "13.1"],
];

function driverTable(): string {
  const rows = drivers.map((driver) => {
    const facts = { system: linux, driver: versionOf(driver), gpus: [capabilityOf("8.6")] };
    const { candidates } = selectLibrary(shipped, facts);
    const verdicts = names.map((name) => candidates.find(({ library }) => library === name)!.verdict);
    const words = verdicts.map((verdict) =>
      verdict === "compatible" ? "yes" : verdict === "refused" ? "no" : "degraded",
    );
    return [driver, driverShippedWith(versionOf(driver)) ?? "older", ...words, choiceOf({ driver }, "host")];
  });
  return table(["driver's CUDA", "Linux driver from", ...names, "chosen without a framework"], rows);
}

const floorTable = (): string =>
  table(
    ["library", "Linux", "Windows"],
    shipped.map((library) => [
      libraryId(library),
      driverNeeded(library.version, "linux"),
      driverNeeded(library.version, "win32"),
    ]),
  );

const gpus: readonly (readonly [generation: string, capability: string])[] = [
  ["Maxwell (GTX 750, M10)", "5.0"],
  ["Pascal (P100)", "6.0"],
  ["Pascal (GTX 1080, P40)", "6.1"],
  ["Volta (V100)", "7.0"],
  ["Turing (T4, RTX 20)", "7.5"],
  ["Ampere (A100)", "8.0"],
  ["Ampere (A10, RTX 30)", "8.6"],
  ["Ada (L4, RTX 40)", "8.9"],
  ["Hopper (H100, H200)", "9.0"],
  ["Blackwell (B200)", "10.0"],
  ["Blackwell (RTX 50)", "12.0"],
];

function gpuTable(): string {
  const cell = ({ sass, ptx, version }: SelectableLibrary, gpu: Capability): string => {
    if (runsNatively(sass, gpu)) return "machine code";
    return runsByJit(ptx, gpu, version, version) ? `PTX \\*, driver's CUDA from ${formatVersion(version)}` : "no";
  };
  const rows = gpus.map(([generation, capability]) => [
    generation,
    capability,
    ...shipped.map((library) => cell(library, capabilityOf(capability))),
  ]);
  return table(["GPU", "capability", ...names], rows);
}

const scenarios: readonly (Machine & { readonly says: string })[] = [
  { host: "12.4", driver: "12.4", says: "the same version everywhere" },
  { host: "12.1", driver: "12.2", says: "an image of CUDA 12.4 with a framework of 12.1: the image plays no part" },
  { host: "12.9", driver: "13.0", says: "an older library of the framework's major" },
  {
    host: "12",
    driver: "12.0",
    says: "onnxruntime tells its major only; R525 is where minor-version compatibility is weakest",
  },
  { host: "11.8", driver: "12.4", says: "the framework's version, older than the driver" },
  { host: "11.2", driver: "11.4", says: "tfjs 4.22 on R470" },
  { host: "13.1", driver: "13.1", says: "the newest driver" },
  { driver: "12.1", says: "no framework: the newest library that is not newer than the driver" },
  { driver: "11.0", says: "nothing older than 11.8 is shipped" },
  { driver: "10.2", says: "the driver is too old for all of them" },
  {
    host: "12.8",
    driver: "12.8",
    gpu: "12.0",
    says: "Blackwell with a driver of CUDA 12: compiled at the first start; driver R580 brings machine code",
  },
  { host: "12.8", driver: "12.8", gpu: "6.1", says: "Pascal" },
];

function scenarioTable(): string {
  const rows = scenarios.map((machine) => [
    machine.host ?? "none",
    machine.driver,
    machine.gpu ?? "8.6",
    choiceOf(machine, "host"),
    choiceOf(machine, "driver"),
    machine.says,
  ]);
  return table(["framework", "driver", "GPU", "chosen", '`prefer: "driver"`', "remark"], rows);
}

export const choosingPage = (): string => `${notice}
# Choosing a CUDA library

halfbyte brings one native library per CUDA version: ${names.map((name) => `\`${name}\``).join(", ")}. Which one runs is decided when a process starts, by what the
machine really has. In almost every case there is nothing to do; this page is for the others. \`halfbyte doctor\` says what was found, what was chosen and why; its
reasons have codes, which [errors.md](errors.md) explains.

## What decides

1. **The driver**, and nothing else, sets the limit: its CUDA major must not be below the library's. It is the version that \`nvidia-smi\` shows at its top right.
2. **The GPU**: the library must hold machine code for it, or PTX that the driver can compile.
3. **The framework** in the same process (onnxruntime-node, tfjs-node-gpu) is a preference: the same version, else an older one of its major, else a newer one, else
   another major. The libraries link their CUDA runtime statically, so that another major beside the framework's is safe.

These versions decide nothing: the toolkit (\`nvcc --version\`), \`CUDA_HOME\`, and \`CUDA_VERSION\` of a container image.

## The matrix

### Driver

${driverTable()}

On a GPU for which all three have machine code. "Degraded" (in the tables below: \\*) works by minor-version compatibility: the driver is older than the library and of the same major. A test kernel with a known result
must pass before such a library is used, and a warning says so once. What is asked for, at least:

${floorTable()}

### GPU

${gpuTable()}

\\* The driver compiles the PTX when the program first starts, which takes a while, and again after each driver update.

### Framework, driver and GPU together

${scenarioTable()}

## Three ways out

**Override** what is chosen, for one process or one machine. Digits, no dot; no fallback, and an error names what is there when the library is not:

\`\`\`sh
HALFBYTE_CUDA_VERSION=124 node app.js
\`\`\`

Use it to reproduce a problem, to hold a version that was validated, or while a remedy is on its way. It is loud on purpose: a line at every start, and the checks that speak
against it are still told. \`BNB_CUDA_VERSION\` is read too; \`HALFBYTE_\` wins.

**Build** the version that is missing: for a GPU that no library has code for, for a glibc older than ours, for another processor.

\`\`\`sh
halfbyte libs build 12.8
halfbyte doctor
\`\`\`

The result lies in the per-user store and is a candidate like the others. It needs that toolkit and a C++ compiler.

**Unify** the versions: the lasting way. Update the driver (it runs every older library), or take the framework's release for the CUDA major the machine has.

## Which way, when

| situation | do |
| --- | --- |
| development, one machine | nothing; after a driver update restart what runs |
| production, one kind of machine | nothing, or \`HALFBYTE_CUDA_VERSION\` for the version that was validated; \`cuda({ prefer: "driver" })\` never takes a library newer than the driver while there is another; [halfbyte monitor](monitor.md) tells when a driver or library changes under you |
| production, machines with different drivers | no override in the image: each machine chooses for itself. \`halfbyte doctor\` in the start-up check of the container fails when a GPU is there and cannot be used |
| continuous integration | \`halfbyte emit github-actions\`: tests without a GPU, in every CUDA image, and on GPU runners; with \`halfbyte doctor --backend cuda\` where a GPU is promised |
| several CUDA versions on one machine | nothing: toolkits do not matter. Two frameworks of different majors in one process do; let each have a process |
| several GPUs of different generations | hide what is not meant with \`CUDA_VISIBLE_DEVICES\`: a library must have code for every visible one |
| old driver that cannot be updated | \`cuda118\` runs from R450 on; \`prefer: "driver"\` |
| Blackwell with a driver of CUDA 12 | works by PTX, slowly at the first start; driver R580 brings machine code |
| Pascal, Volta | \`cuda118\` or \`cuda124\`; CUDA 13 has no code for them |
| Alpine (musl), glibc before 2.17 | another base image, such as Debian's; meanwhile the cpu backend runs in WebAssembly |
| Jetson, arm64 | build there: \`halfbyte libs build\` |

## Containers

- **The image's CUDA is not the driver's.** \`nvidia/cuda:12.4.1-base-ubuntu22.04\` brings a runtime; libcuda comes from the host, put into the container by the NVIDIA
  Container Toolkit. An image of CUDA 12.4 on a driver of 12.2 runs, degraded; an image of 13.0 on it does not.
- Start with GPUs and the capability \`compute\`: \`docker run --gpus all\`, \`NVIDIA_DRIVER_CAPABILITIES=compute,utility\`. Without \`compute\` there is no libcuda
  (\`CUDA_NO_DRIVER\`); without \`utility\` there is no NVML and no nvidia-smi, and the monitor has no figures.
- halfbyte needs no CUDA image at all: \`node:22-bookworm-slim\` does, when no framework in it needs CUDA libraries.
- **cuda-compat.** NVIDIA's images carry a newer libcuda for data-center GPUs (forward compatibility). On a GeForce it fails with error 804 (\`CUDA_FORWARD_COMPAT\`), and one that is
  older than the host's driver with 803 (\`CUDA_DRIVER_MISMATCH\`): take \`/usr/local/cuda/compat\` out of \`LD_LIBRARY_PATH\`, or remove the package \`cuda-compat-*\`.
- \`halfbyte emit dockerfile\` and \`halfbyte emit compose\` write files that have all this right.

WSL2 brings libcuda from Windows in \`/usr/lib/wsl/lib\`: install no Linux driver inside.
`;
