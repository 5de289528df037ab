/**
 * Trying a library before it is loaded into this process: a child loads it, asks who it is and has it quantize a few numbers. Its
 * crash, its silence and its mistakes stay there and become reasons here. What passed on this machine is remembered.
 */
import { type ErrorCode, isHalfbyteError, messageOf, passCache, type Reason, version } from "@halfbyte/core";
import { abiVersion } from "./abi.js";
import { type Identity, identify } from "./identity.js";
import { type Answer, isSameAnswer, knownAnswer, type Question, question } from "./known-answer.js";
import type { FoundLibrary } from "./library-candidates.js";
import { loadRefusal } from "./load-refusal.js";
import { type ProbeRun, probeObstacle, runProbe } from "./probe-process.js";
import { reasonOf } from "./reason.js";
import { signatures } from "./signatures.js";

export interface ProbeOptions {
  readonly backend: string;
  /** What a pass holds for beside the library's bytes: the processor and its cap, or the driver and its GPUs. Undefined: it is not remembered. */
  readonly machine: readonly string[] | undefined;
  /** The device that is tried. Default: the first. */
  readonly device?: number;
  /** What an error number of the device's own interface means (hb_last_error). */
  readonly explain?: (error: number) => Reason | undefined;
  /** How long the library may take. Default: 20 seconds. */
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
}

/** What probe-child.cjs is asked. */
export interface ProbeRequest {
  readonly path: string;
  readonly abiVersion: number;
  /** Every function that must be there. */
  readonly names: readonly string[];
  readonly device: number;
  /** Those that are called. */
  readonly signatures: Readonly<Record<string, unknown>>;
  readonly question: Question;
}

/** What it says, as far as it got. */
export interface ProbeReport {
  readonly step: keyof typeof steps;
  readonly thrown?: string;
  /** What hb_last_error says then, where the library has it. */
  readonly error?: number;
  readonly identity?: Identity;
  readonly answer?: Answer;
}

/** What the child does in each step, and what it means when that throws. */
const steps = {
  starting: ["starting", "PROBE_UNAVAILABLE"],
  loading: ["being loaded", "LIBRARY_LOAD_FAILED"],
  asking: ["asked who it is", "LIBRARY_WRONG_KIND"],
  binding: ["asked for its functions", "LIBRARY_ABI_MISMATCH"],
  computing: ["quantizing a few numbers", "LIBRARY_WRONG_ANSWER"],
  closing: ["being closed", "LIBRARY_CRASHED"],
} as const satisfies Record<string, readonly [string, ErrorCode]>;

const called = [
  "hb_abi_version",
  "hb_build_info",
  "hb_queue_create",
  "hb_queue_last",
  "hb_queue_wait",
  "hb_queue_destroy",
  "hb_alloc",
  "hb_free",
  "hb_write",
  "hb_read",
  "hb_quantize_4bit",
] as const satisfies readonly (keyof typeof signatures)[];

const defaultLimitMs = 20_000;
const passes = passCache("probe");

/** Why this library must not be loaded; undefined when it passed, now or on an earlier day. Rejects only when aborted. */
export async function probe(library: FoundLibrary, options: ProbeOptions): Promise<Reason | undefined> {
  const key = keyOf(library, options);
  if (key !== undefined && passes.has(key)) return undefined;
  const refusal = await tryInChild(library.path, options);
  if (!refusal && key !== undefined) passes.add(key);
  return refusal;
}

const keyOf = ({ sha256 }: FoundLibrary, { backend, machine, device = 0 }: ProbeOptions): string | undefined =>
  machine &&
  JSON.stringify([version, process.version, process.platform, process.arch, backend, device, sha256, machine]);

async function tryInChild(path: string, options: ProbeOptions): Promise<Reason | undefined> {
  const { device = 0, limitMs = defaultLimitMs, signal } = options;
  const obstacle = probeObstacle();
  if (obstacle) return unavailable(path, obstacle);
  try {
    const [run, expected] = await Promise.all([runProbe(requestOf(path, device), limitMs, signal), knownAnswer()]);
    return verdict(path, options, run, expected);
  } catch (thrown) {
    if (isHalfbyteError(thrown)) throw thrown;
    return unavailable(path, messageOf(thrown));
  }
}

const requestOf = (path: string, device: number): ProbeRequest => ({
  path,
  device,
  abiVersion,
  names: Object.keys(signatures),
  signatures: Object.fromEntries(called.map((name) => [name, signatures[name]])),
  question: question(),
});

const unavailable = (path: string, why: string): Reason =>
  reasonOf("PROBE_UNAVAILABLE", `${path} cannot be tried in a process of its own: ${why}`);

/** The first of its faults, the most telling first. */
function verdict(path: string, options: ProbeOptions, run: ProbeRun, expected: Answer): Reason | undefined {
  const { step, thrown, identity, answer } = run.report;
  const [doing] = steps[step];
  if (step === "starting") return unavailable(path, endingOf(run));
  const who = identity && identify(path, options.backend, identity);
  if (who && "code" in who) return who;
  if (thrown !== undefined) return failureOf(path, run.report, options);
  if (run.timedOut) return reasonOf("LIBRARY_HUNG", `${path} hung, ${doing}.`);
  if (step !== "closing" || run.code !== 0) return reasonOf("LIBRARY_CRASHED", `${path}, ${doing}: ${endingOf(run)}`);
  if (isSameAnswer(answer, expected)) return undefined;
  return reasonOf("LIBRARY_WRONG_ANSWER", `${path} quantizes a few known numbers wrongly.`);
}

/** What threw: by the loader's words, by the device's own number, or by what was being done. */
function failureOf(path: string, { step, thrown = "", error = 0 }: ProbeReport, { explain }: ProbeOptions): Reason {
  const [doing, code] = steps[step];
  if (step === "loading") return loadRefusal(path, thrown, doing);
  const explained = error === 0 ? undefined : explain?.(error);
  const number = error === 0 ? "" : `, error ${error}`;
  if (!explained) return reasonOf(code, `${path}, ${doing}: ${thrown}${number}.`);
  return { ...explained, message: `${path}, ${doing}: ${thrown}${number}. ${explained.message}` };
}

function endingOf({ code, signal, timedOut, stderr }: ProbeRun): string {
  const how = timedOut ? "it did not start in time" : signal ? `it ended by ${signal}` : `it ended with code ${code}`;
  return stderr ? `${how}, saying "${stderr}".` : `${how}.`;
}
