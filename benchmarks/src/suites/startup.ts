/** Suite startup: what a program waits for before its first result, and what a call costs beside calling C. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { halfbyteError } from "@halfbyte/core";
import type { Bench, Measurement } from "../case.js";
import { floorLibrary } from "../floors/library.js";
import { halfbyteCommand } from "../halfbyte-command.js";
import { interleave } from "../measure/interleave.js";
import { median } from "../measure/statistics.js";
import { timed } from "../measure/subject.js";
import type { FloorFigure } from "../report/row.js";
import type { Spec } from "../spec.js";
import { measureEventLoop } from "./event-loop.js";

/** `first-steps.mjs` reports the times of these; the self-test of `open` is remembered from the second start on. */
const steps = {
  import: { figure: "imported", cached: true },
  detect: { figure: "detected", cached: true },
  "open, self-test": { figure: "opened", cached: false },
  "open, self-test remembered": { figure: "opened", cached: true },
  "first kernel": { figure: "firstKernel", cached: true },
} as const;
type Step = keyof typeof steps;

/** Examining the machine for CUDA, by how deep `examine.mjs` looks. */
const examinations = { "detect CUDA, quick": "quick", "detect CUDA, full": "full" } as const;
type ExaminationCase = keyof typeof examinations;

/** `doctor`: the whole command. `call`: the smallest operation, on the calling thread. `event loop`: the longest pause while kernels run. */
export const startupCases = [
  ...(Object.keys(steps) as Step[]),
  ...(Object.keys(examinations) as ExaminationCase[]),
  "doctor",
  "call",
  "event loop",
] as const;

const starts = 5;

export async function measureStartup(spec: Spec, bench: Bench): Promise<Measurement> {
  if (spec.case === "doctor") return measureDoctor(bench);
  if (spec.case === "call") return measureCall(bench);
  if (spec.case === "event loop") return measureEventLoop(bench);
  return isExamination(spec.case) ? measureExamination(spec.case, bench) : measureStep(spec.case as Step, spec, bench);
}

const isExamination = (name: string): name is ExaminationCase => name in examinations;

const alone = { otherFloors: [], peers: [], notMeasured: [], relativeError: null, accuracy: null } as const;

interface FirstSteps {
  readonly chosen: string;
  readonly tier: string;
  readonly cached: boolean;
  readonly reason?: string;
  readonly imported: number;
  readonly detected: number;
  readonly opened: number;
  readonly firstKernel: number;
}

async function measureStep(step: Step, { threads }: Spec, { rounds }: Bench): Promise<Measurement> {
  const { figure, cached } = steps[step];
  const cache = mkdtempSync(join(tmpdir(), "halfbyte-bench-"));
  try {
    if (cached) startOnce(threads, cache);
    const runs = Array.from({ length: Math.min(starts, rounds) }, (_, i) =>
      startOnce(threads, cached ? cache : join(cache, String(i))),
    );
    const times = runs.map((run) => run[figure] * 1e6);
    return { ...alone, ours: [{ memory: null, times }], floor: null, tier: runs[0]!.tier };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Each in a process of its own, where nothing has been asked before. */
function measureExamination(name: ExaminationCase, { rounds }: Bench): Measurement {
  const script = join(import.meta.dirname, "..", "startup", "examine.mjs");
  const times = Array.from({ length: Math.min(starts, rounds) }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, examinations[name]], { encoding: "utf8" });
    if (status !== 0) throw halfbyteError("BACKEND_UNAVAILABLE", stderr.trim());
    return (JSON.parse(stdout) as { readonly examined: number }).examined * 1e6;
  });
  return { ...alone, ours: [{ memory: null, times }], floor: null, tier: "cuda" };
}

/** From the start of Node to its end, nothing remembered from runs before. */
function measureDoctor({ rounds }: Bench): Measurement {
  const times = Array.from({ length: Math.min(starts, rounds) }, () => {
    const start = process.hrtime.bigint();
    const { status, stdout, stderr } = spawnSync(process.execPath, [halfbyteCommand(), "doctor", "--json"]);
    if (status === null || stdout.length === 0) throw halfbyteError("BACKEND_UNAVAILABLE", String(stderr).trim());
    return Number(process.hrtime.bigint() - start);
  });
  return { ...alone, ours: [{ memory: null, times }], floor: null, tier: "cuda" };
}

/** The self-test's verdicts are kept below `cache`. Throws BACKEND_UNAVAILABLE. */
function startOnce(threads: number, cache: string): FirstSteps {
  const script = join(import.meta.dirname, "..", "startup", "first-steps.mjs");
  const env = { ...process.env, XDG_CACHE_HOME: cache, LOCALAPPDATA: cache };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, String(threads)], { encoding: "utf8", env });
  if (status !== 0) throw halfbyteError("BACKEND_UNAVAILABLE", stderr.trim());
  const steps = JSON.parse(stdout) as FirstSteps;
  if (steps.chosen === "cpu") return steps;
  throw halfbyteError("BACKEND_UNAVAILABLE", steps.reason ?? `"${steps.chosen}" was opened instead of "cpu"`);
}

const callsPerRun = 200;

/** Sixty-four elements: nothing beside what surrounds them. Calls of C are made in the same number. */
async function measureCall({ backend, rounds }: Bench): Promise<Measurement> {
  const { kernels } = backend;
  using code = backend.tensor(
    "float32",
    [256],
    Float32Array.from({ length: 256 }, (_, i) => (i - 128) / 128),
  );
  using x = backend.zeros("float32", [64]);
  const { codes, absmax } = kernels.quantizeBlockwise({ x, code, blockSize: 64 });
  const args = { codes, absmax, code, blockSize: 64, dtype: "float32" } as const;
  const into = kernels.dequantizeBlockwise(args);
  const ours = timed(async () => {
    for (let i = 0; i < callsPerRun; i++) kernels.dequantizeBlockwise(args, into);
    await backend.synchronize();
  }, callsPerRun);
  const library = floorLibrary();
  const native = typeof library === "string" ? [] : [timed(() => repeat(callsPerRun, library.call), callsPerRun)];
  const [times, calls] = await interleave([ours, ...native], { rounds, warm: true });
  for (const tensor of [codes, absmax, into.out]) tensor.dispose();
  const floor: FloorFigure | null = calls ? { kind: "c-call", medianNs: median(calls) } : null;
  return { ...alone, ours: [{ memory: "into", times: times! }], floor };
}

function repeat(count: number, call: () => void): void {
  for (let i = 0; i < count; i++) call();
}
