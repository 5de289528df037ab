/** Everything that doctor tells: the machine, the libraries, the choice, its probes, what that comes to, and the one thing to do next. */
import { halfbyteError, type Reason } from "@halfbyte/core";
import type { Choice } from "./choose.js";
import { type Asked, type Conclusion, conclude } from "./conclusion.js";
import { describeMachine } from "./described-machine.js";
import type { Diagnosis, ExaminedCandidate, ProbedLibrary } from "./diagnosis.js";
import { distributionOf } from "./distribution.js";
import { type FitMatrix, fitMatrix } from "./fit-matrix.js";
import { type Instruments, instruments } from "./instruments.js";
import { libraryId } from "./library-name.js";
import type { MachineFacts } from "./machine-facts.js";
import { isVersion, type Preference, type SelectableLibrary, type Verdict } from "./selection.js";
import { dependenciesOf } from "./shared-libraries.js";
import { type Fix, suggestedFix } from "./suggested-fix.js";
import { tellFindings } from "./tell-choice.js";
import { tellDiagnosis } from "./tell-diagnosis.js";
import type { World } from "./world.js";

export interface DiagnoseOptions extends Asked {
  readonly signal?: AbortSignal;
  /** Whether libraries are tried, each in a process of its own. Default: yes. */
  readonly probe?: boolean;
  /** As of cuda(). */
  readonly prefer?: Preference;
}

/** Rejects only when the signal fires: what cannot be found out is part of the answer. */
export const diagnose = (world: World, options?: DiagnoseOptions): Promise<Diagnosis> =>
  diagnoseWith(instruments, world, options);

export async function diagnoseWith(
  tools: Instruments,
  world: World,
  options: DiagnoseOptions = {},
): Promise<Diagnosis> {
  const { signal, prefer = "host" } = options;
  const [examination, libraries] = await Promise.all([
    tools.examine(world, { depth: "full", ...(signal && { signal }) }),
    tools.findLibraries(world),
  ]);
  if (signal?.aborted) throw halfbyteError("ABORTED", "The diagnosis was aborted.", { cause: signal.reason });
  const { facts } = examination;
  const choice = tools.choose(examination, libraries, world.env, { prefer });
  tellFindings(examination, choice);
  const paths = libraries.map(({ path }) => path);
  const [dependencies, probe, distribution] = await Promise.all([
    dependenciesOf(world, paths, signal),
    probeInOrder(tools, facts, choice, options),
    distributionOf(world),
  ]);
  const conclusion = conclude(world.env, facts, choice, probe.tried, options);
  const { candidates } = choice.selection;
  const diagnosis: Diagnosis = {
    ...told(conclusion),
    ...describeMachine(examination, choice.override, world.env),
    candidates: candidates.map(examinedCandidate),
    matrix: matrixOf(libraries, candidates, facts),
    dependencies: dependencies.map((one, i) => ({ library: libraryId(libraries[i]!), ...one })),
    probe,
    ...fixOf(conclusion, { facts, env: world.env, candidates, ...(distribution && { distribution }) }, choice, probe),
  };
  tellDiagnosis(diagnosis);
  return diagnosis;
}

/** One after the other until one passes, as opening does. */
async function probeInOrder(
  { probeLibrary }: Instruments,
  facts: MachineFacts,
  { selection }: Choice,
  { probe = true, signal }: DiagnoseOptions,
): Promise<Diagnosis["probe"]> {
  const notRunBecause = whyNotTried(probe, facts, selection.usable);
  const tried: ProbedLibrary[] = [];
  if (notRunBecause !== null) return { tried, notRunBecause };
  for (const library of selection.usable) {
    const started = performance.now();
    const reason = await probeLibrary(library, facts, signal ? { signal } : {});
    tried.push(probed(library, performance.now() - started, reason));
    if (!reason) break;
  }
  return { tried, notRunBecause };
}

function whyNotTried(wanted: boolean, { driver }: MachineFacts, usable: readonly SelectableLibrary[]): string | null {
  if (!wanted) return "It was not asked for.";
  if (usable.length === 0) return "No library is left to try.";
  return usable[0]!.runtime === "cuda" && !isVersion(driver) ? "There is no driver to try one with." : null;
}

const probed = ({ path, ...name }: SelectableLibrary, ms: number, reason: Reason | undefined): ProbedLibrary => ({
  library: libraryId(name),
  path,
  passed: reason === undefined,
  ms: Math.round(ms),
  code: reason?.code ?? null,
  reason: reason?.message ?? null,
  remedy: reason?.remedy ?? null,
});

/** Columns stand as the verdicts do. */
function matrixOf(
  libraries: readonly SelectableLibrary[],
  verdicts: readonly Verdict[],
  facts: MachineFacts,
): FitMatrix {
  const byPath = new Map(libraries.map((library) => [library.path, library]));
  const known = verdicts.filter(({ path }) => byPath.has(path));
  return fitMatrix(
    known.map(({ path }) => byPath.get(path)!),
    known.map(({ verdict }) => verdict),
    facts,
  );
}

const examinedCandidate = (verdict: Verdict): ExaminedCandidate => ({ ...verdict, remedy: verdict.remedy ?? null });

function told({ status, reason, askedBy, chosen }: Conclusion) {
  const { code, message } = reason;
  return {
    status,
    code,
    message,
    askedBy,
    chosen: chosen ? examinedCandidate(chosen) : null,
    degraded: status === "degraded",
    fallback: chosen ? null : { backend: "cpu" as const, ...reason },
  };
}

type Surroundings = Pick<Parameters<typeof suggestedFix>[0], "facts" | "env" | "candidates" | "distribution">;

function fixOf(
  { status, reason, askedBy }: Conclusion,
  surroundings: Surroundings,
  { override }: Choice,
  { tried }: Diagnosis["probe"],
): Fix {
  if (status === "ok") return { remedy: "Nothing to do.", command: null };
  const failed = tried.filter(({ passed }) => !passed).map(({ library }) => library);
  const fix = suggestedFix({ reason, failed, ...surroundings, ...(override && { override }) });
  return askedBy === null ? unlessThereIsOne(fix, reason, surroundings.facts) : fix;
}

/** Nobody misses CUDA. Where nothing tells whether there is a GPU, as in a container, there may be one. */
function unlessThereIsOne({ remedy, command }: Fix, { code }: Reason, { hardware }: MachineFacts): Fix {
  const nothing = "Nothing to do: the CPU backend does the work.";
  if (hardware === false || code === "CUDA_PLATFORM_UNSUPPORTED") return { remedy: nothing, command: null };
  return { remedy: `${nothing} If this machine has an NVIDIA GPU: ${remedy}`, command };
}
