/** halfbyte libs: the native libraries there are, which of the user's own builds are in use, and whether all are intact. */
import { cpu } from "@halfbyte/backend-cpu";
import type { StoredBuild, SurveyedLibrary, Switched, VerifiedLibrary } from "@halfbyte/backend-cuda";
import type { Reason } from "@halfbyte/core";
import { Command } from "commander";
import { exitCodes } from "../exit.js";
import { fromUser } from "../input.js";
import { interruptible } from "../interrupt.js";
import { maskHome } from "../mask-home.js";
import { jsonOption } from "../options.js";
import { printJson, printLine } from "../print.js";
import { tableLines } from "../text-table.js";

interface Flags {
  readonly json?: boolean;
}

export function libsCommand(): Command {
  return new Command("libs")
    .description("list the CUDA libraries, build one, choose between builds, verify them all")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(buildCommand())
    .addCommand(useCommand())
    .addCommand(rollbackCommand())
    .addCommand(verifyCommand())
    .addHelpText(
      "after",
      "\nExamples:\n  halfbyte libs\n  halfbyte libs build 12.4\n  halfbyte libs use cuda124\n  halfbyte libs rollback\n",
    );
}

/** Loaded when a command runs: others start faster without it. */
const backendCuda = () => import("@halfbyte/backend-cuda");

async function userStore() {
  const { LibraryStore, userStoreFolder } = await backendCuda();
  return new LibraryStore(userStoreFolder());
}

const listCommand = (): Command =>
  new Command("list")
    .description("every library with version, architectures, hash and verdict, and the builds of your store")
    .addOption(jsonOption())
    .action(({ json = false }: Flags) => interruptible((signal) => list(json, signal)));

async function list(json: boolean, signal: AbortSignal): Promise<void> {
  const { surveyLibraries, nodeWorld } = await backendCuda();
  const store = await userStore();
  const [libraries, builds] = await Promise.all([surveyLibraries(nodeWorld(), signal), store.builds()]);
  const listed = maskHome({ libraries, store: { folder: store.folder, builds, problem: store.problem() ?? null } });
  if (json) return printJson(listed);
  printLine("Libraries, in the order in which they are tried");
  printAll(libraryLines(listed.libraries));
  printLine();
  printLine(`Your store, ${listed.store.folder}`);
  printAll(storeLines(listed.store.builds, listed.store.problem));
}

function printAll(lines: readonly string[]): void {
  for (const line of lines) printLine(line);
}

function libraryLines(libraries: readonly SurveyedLibrary[]): string[] {
  if (libraries.length === 0) return ["  none installed; halfbyte doctor says what to do"];
  const rows = libraries.map(({ library, verdict, code, sass, ptx, sha256, path, first }) => [
    first ? ">" : "",
    library,
    `${verdict}\n${code}`,
    sha256?.slice(0, 12) ?? "unknown",
    `sm ${sass.join(" ") || "–"}; PTX ${ptx.join(" ") || "–"}\n${path}`,
  ]);
  return tableLines(rows, { head: ["", "library", "verdict", "sha256", "architectures, and where"] });
}

function storeLines(builds: readonly StoredBuild[], problem: Reason | null): string[] {
  const rows = builds.map(({ id, inUse, addedAt, refusal }) => [
    id,
    inUse ? "in use" : "kept",
    addedAt.slice(0, 10),
    refusal ? `${refusal.message} (${refusal.code})` : "",
  ]);
  const told = problem ? [`  ${problem.message} ${problem.remedy}`] : [];
  return [...(rows.length === 0 ? ["  no builds"] : tableLines(rows)), ...told];
}

interface BuildFlags extends Flags {
  readonly toolkit?: string;
  readonly fetch?: boolean;
  readonly acceptNvidiaEula?: boolean;
}

const buildCommand = (): Command =>
  new Command("build")
    .description("build the library for one CUDA version from source and put it in use")
    .argument("<version>", "such as 12.4")
    .option("--toolkit <dir>", "the CUDA toolkit; else CUDA_HOME, nvcc on PATH and /usr/local/cuda* are looked at")
    .option("--fetch", "fetch the toolkit from Debian if it is missing (11.8, 12.4)")
    .option("--accept-nvidia-eula", "you accept the licence of what is fetched")
    .addOption(jsonOption())
    .action((version: string, flags: BuildFlags) => interruptible((signal) => build(version, flags, signal)));

async function build(
  text: string,
  { toolkit, json = false, ...flags }: BuildFlags,
  signal: AbortSignal,
): Promise<void> {
  const { buildIntoStore, requestedVersion } = await backendCuda();
  const version = requestedVersion(text);
  const store = await userStore();
  const where = toolkit === undefined ? {} : { toolkit: fromUser(toolkit) };
  const built = await buildIntoStore(store, version, { signal, ...flags, ...where });
  const { now } = await store.use(built.id);
  const result = maskHome({ build: { ...built, inUse: true }, inUse: now });
  if (json) printJson(result);
  else printLine(`${result.build.id} is built and in use: ${result.build.path}`);
}

const useCommand = (): Command =>
  new Command("use")
    .description("put a build of your store in use, before the libraries of packages")
    .argument("<id>", "its id, or the beginning of it, such as cuda124")
    .addOption(jsonOption())
    .action(async (id: string, { json = false }: Flags) => tellSwitch(await (await userStore()).use(id), json));

const rollbackCommand = (): Command =>
  new Command("rollback")
    .description("put in use what was in use before")
    .addOption(jsonOption())
    .action(async ({ json = false }: Flags) => tellSwitch(await (await userStore()).rollback(), json));

function tellSwitch({ before, now }: Switched, json: boolean): void {
  if (json) printJson({ before, inUse: now });
  else
    printLine(
      `${sayInUse("in use", now)}; ${sayInUse("before", before)}. halfbyte doctor says which library is chosen now.`,
    );
}

const sayInUse = (when: string, builds: readonly string[]): string =>
  `${when}: ${builds.join(", ") || "nothing of your store"}`;

const verifyCommand = (): Command =>
  new Command("verify")
    .description("compare every library with the hash in its manifest; exit 1 when one differs")
    .addOption(jsonOption())
    .action(({ json = false }: Flags) => verify(json));

async function verify(json: boolean): Promise<void> {
  const { verifyLibraries, nodeWorld, verified } = await backendCuda();
  const [cuda, kept, native] = await Promise.all([
    verifyLibraries(nodeWorld()),
    (await userStore()).builds(),
    cpuLibraries(),
  ]);
  const stored = kept.filter(({ path }) => cuda.every((library) => library.path !== path));
  const all = maskHome([...cuda, ...[...stored, ...native].map(({ library, path }) => verified(library, path))]);
  const failed = all.filter(({ reason }) => reason !== null);
  if (json) printJson({ libraries: all, failed: failed.length });
  else printAll(verifiedLines(all));
  if (failed.length > 0) process.exitCode = exitCodes.failed;
}

/** Native libraries of the CPU backend that are there. */
async function cpuLibraries(): Promise<{ readonly library: string; readonly path: string }[]> {
  const { candidates } = await cpu({ tier: "native" }).detect();
  return candidates
    .filter(({ code }) => code !== "LIBRARY_NOT_FOUND")
    .map(({ library }) => ({ library: "cpu", path: library }));
}

function verifiedLines(libraries: readonly VerifiedLibrary[]): string[] {
  if (libraries.length === 0) return ["no libraries"];
  const rows = libraries.map(({ library, path, sha256, reason }) => [
    library,
    reason ? "WRONG" : "intact",
    sha256?.slice(0, 12) ?? "",
    reason ? `${reason.message} (${reason.code}) ${reason.remedy}` : path,
  ]);
  return tableLines(rows, { indent: 0 });
}
