/**
 * The self-test, variant by variant: what gives other results than the reference, or does not run, is demoted with its reason, and another one
 * runs in its place. Variants of one kernel that passed are timed against each other. Passes and times are remembered for this adapter, driver
 * and build; what was demoted is tried again every time.
 */
import {
  type Backend,
  type Detection,
  halfbyteError,
  isHalfbyteError,
  messageOf,
  type OpenReport,
  type OpName,
  passCache,
  type Reason,
  runSelfTestCase,
  type SelfTestCase,
  selfTestCases,
  version,
} from "@halfbyte/core";
import type { WebgpuDevice } from "./device.js";
import { textsHash } from "./shader.js";
import { variantBackend } from "./variant-backend.js";
import { type Candidate, keyOf, operationOf, type Variants } from "./variants.js";

const passes = passCache("webgpu-variants");

export interface QualificationOptions {
  /** Whether passes of earlier runs count, and this one's are kept. */
  readonly isRemembered: boolean;
}

type SelfTest = OpenReport["selfTest"];

export class Qualification {
  readonly #device: WebgpuDevice;
  readonly #variants: Variants;
  readonly #options: QualificationOptions;

  constructor(device: WebgpuDevice, variants: Variants, options: QualificationOptions) {
    this.#device = device;
    this.#variants = variants;
    this.#options = options;
  }

  async run(detection: Detection): Promise<SelfTest> {
    const start = performance.now();
    const key = this.#keyOf(detection);
    if (key) this.#recall(key);
    const untested = this.#variants.all.filter(({ verdict }) => verdict === "untested");
    const counts = await Promise.all(untested.map((candidate) => this.#test(candidate)));
    await this.#timeRivals();
    this.#variants.rerank();
    if (key && untested.length > 0) this.#remember(key);
    this.#expectEveryOperation();
    const cases = counts.reduce((sum, count) => sum + count, 0);
    const demoted = this.#demoted();
    const told = { cases, ms: performance.now() - start, cached: untested.length === 0 };
    return demoted.length > 0 ? { ...told, demoted } : told;
  }

  #keyOf({ versions }: Detection): string | undefined {
    if (!this.#options.isRemembered) return undefined;
    return JSON.stringify([version, textsHash(), this.#device.tier, this.#device.traits.pieceBytes, versions]);
  }

  /** The number of cases that ran. */
  async #test(candidate: Candidate): Promise<number> {
    const backend = variantBackend(this.#device, candidate);
    let ran = 0;
    try {
      for (const one of casesOf(candidate.op)) ran += (await runSelfTestCase(backend, one)) ? 1 : 0;
      if (ran === 0) throw halfbyteError("SELF_TEST_FAILED", "No case of the self-test runs it.");
      candidate.verdict = "passed";
    } catch (thrown) {
      candidate.verdict = "demoted";
      candidate.reason = reasonOf(thrown);
    } finally {
      await backend.dispose();
    }
    return ran;
  }

  async #timeRivals(): Promise<void> {
    for (const kernel of new Set(this.#variants.all.map((candidate) => candidate.kernel))) {
      const rivals = this.#variants.all.filter((one) => one.kernel === kernel && one.verdict === "passed");
      if (rivals.length < 2 || !kernel.sample || rivals.every(({ ns }) => ns !== undefined)) continue;
      await this.#timeAll(rivals).catch(() => forgetTimes(rivals));
    }
  }

  async #timeAll(rivals: readonly Candidate[]): Promise<void> {
    for (const rival of rivals) rival.ns = await this.#time(rival);
  }

  /** Best of three, after one to warm up. */
  async #time(candidate: Candidate): Promise<number> {
    const backend = variantBackend(this.#device, candidate);
    const args = await candidate.kernel.sample!(backend);
    try {
      const launch = () => disposeAll(backend.kernels[candidate.op](args as never));
      launch();
      await backend.synchronize();
      const times: number[] = [];
      while (times.length < 3) times.push((await this.#device.time(launch)) ?? (await elapsed(backend, launch)));
      return Math.min(...times);
    } finally {
      disposeAll(args);
      await backend.dispose();
    }
  }

  #demoted(): NonNullable<SelfTest["demoted"]> {
    return this.#variants.all.flatMap(({ op, kernel, variant, verdict, reason }) =>
      verdict === "demoted" && reason ? [{ op, kernel: kernel.name, variant: variant.name, ...reason }] : [],
    );
  }

  #expectEveryOperation(): void {
    for (const op of new Set(this.#variants.all.map((candidate) => candidate.op))) {
      const ofOp = this.#variants.all.filter((candidate) => candidate.op === op);
      const demoted = ofOp.find(({ verdict }) => verdict === "demoted");
      if (!demoted || ofOp.some(({ verdict }) => verdict === "passed")) continue;
      const { reason, kernel, variant } = demoted;
      throw halfbyteError("SELF_TEST_FAILED", `No kernel for ${op} is right on this adapter: ${reason!.message}`, {
        details: { op, kernel: kernel.name, variant: variant.name },
      });
    }
  }

  #recall(key: string): void {
    const known = parsed(passes.noteOf(key));
    for (const candidate of this.#variants.all) {
      const ns = known[keyOf(candidate)];
      if (ns === undefined || candidate.verdict !== "untested") continue;
      candidate.verdict = "passed";
      if (ns > 0) candidate.ns = ns;
    }
    this.#variants.rerank();
  }

  #remember(key: string): void {
    const passed = this.#variants.all.filter(({ verdict }) => verdict === "passed");
    const times = Object.fromEntries(passed.map((one) => [keyOf(one), one.ns ?? 0]));
    // A backend that is opened for fewer operations leaves what is known of the others.
    passes.add(key, JSON.stringify({ ...parsed(passes.noteOf(key)), ...times }));
  }
}

const casesOf = (op: OpName): readonly SelfTestCase[] => [
  ...selfTestCases.filter((one) => one.op === op),
  ...((operationOf(op).cases ?? []) as readonly SelfTestCase[]),
];

/** A sample that does not fit this device leaves the order of preference. */
function forgetTimes(rivals: readonly Candidate[]): void {
  for (const rival of rivals) delete rival.ns;
}

/** Time by variant; nothing of what cannot be read. */
function parsed(note: string | undefined): Record<string, number> {
  try {
    const known: unknown = JSON.parse(note ?? "{}");
    const isNumber = (entry: [string, unknown]): entry is [string, number] => typeof entry[1] === "number";
    return Object.fromEntries(Object.entries(known ?? {}).filter(isNumber));
  } catch {
    return {};
  }
}

function reasonOf(thrown: unknown): Reason {
  const { code, message, remedy } = isHalfbyteError(thrown)
    ? thrown
    : halfbyteError("SELF_TEST_FAILED", messageOf(thrown));
  return { code, message, remedy };
}

async function elapsed(backend: Backend, launch: () => void): Promise<number> {
  const start = performance.now();
  launch();
  await backend.synchronize();
  return (performance.now() - start) * 1e6;
}

function disposeAll(values: object): void {
  for (const value of Object.values(values) as unknown[])
    if (typeof value === "object" && value !== null && "dispose" in value) (value as { dispose(): void }).dispose();
}
