/**
 * Examining the machine: every source is asked at once, each within its limit, and what they found becomes one set of facts. Never
 * rejects, loads no kernel library, and starts no driver in this process.
 */
import type { Reason, Source } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type Answer, answerOf, type Patience, patienceOf, sourceLimitMs } from "./answer.js";
import {
  type AskOptions,
  type Context,
  type Detector,
  type Findings,
  type Found,
  ignored,
  type SourceKey,
  type Troubles,
} from "./detector.js";
import { detectors, sourceKeys } from "./detectors.js";
import type { Examination, ExamineOptions, MachineFacts } from "./machine-facts.js";
import { mergeFacts } from "./merge-facts.js";
import { oneLine } from "./plain-text.js";
import type { World } from "./world.js";

type Answers = { [K in SourceKey]?: Answer<Findings[K]> };

export async function examine(world: World, options: ExamineOptions = {}): Promise<Examination> {
  const { depth = "quick", limitMs = sourceLimitMs, signal } = options;
  if (world.platform !== "linux" && world.platform !== "win32") return withoutCuda(world);
  const patience = patienceOf(limitMs, signal);
  const answers = await askAll(world, depth, patience);
  patience.release();
  const [found, troubles] = [foundIn(answers), troublesIn(answers)];
  const merged = mergeFacts(world, found, troubles);
  const facts = signal?.aborted ? { ...merged, driver: aborted() } : merged;
  const context: Context = { world, found, facts };
  return { facts, sources: sourceKeys.flatMap((key) => sourceOf(key, answers, context)) };
}

async function askAll(world: World, depth: AskOptions["depth"], patience: Patience): Promise<Answers> {
  const answers: Answers = {};
  const ask = async <K extends SourceKey>(key: K): Promise<void> => {
    const detector: Detector<Findings[K]> = detectors[key];
    answers[key] = (await answerOf(detector, world, depth, patience)) as Answers[K];
  };
  const due = sourceKeys.filter((key) => depth === "full" || detectors[key].depth === "quick");
  await Promise.all(due.map(ask));
  return answers;
}

const entriesOf = (answers: Answers): [SourceKey, Answer<unknown>][] =>
  Object.entries(answers) as [SourceKey, Answer<unknown>][];

const foundIn = (answers: Answers): Found =>
  Object.fromEntries(entriesOf(answers).flatMap(([key, { found }]) => (found === undefined ? [] : [[key, found]])));

const troublesIn = (answers: Answers): Troubles =>
  Object.fromEntries(entriesOf(answers).flatMap(([key, { error }]) => (error === undefined ? [] : [[key, error]])));

/** What a line of a table can bear. */
const mostValue = 600;

/** None of a source that was not asked. */
function sourceOf<K extends SourceKey>(key: K, answers: Answers, context: Context): Source[] {
  const answer: Answer<Findings[K]> | undefined = answers[key];
  const detector: Detector<Findings[K]> = detectors[key];
  if (!answer) return [];
  const { found, ms, error } = answer;
  const silent = found === undefined && error !== undefined;
  const role = silent ? ignored("it could not be asked") : detector.role(found, context);
  const said = found === undefined ? null : detector.value(found);
  const value = said === null ? null : oneLine(said, mostValue);
  return [{ name: detector.name, value, ...role, ms, ...(error !== undefined && { error }) }];
}

const aborted = (): Reason => reasonOf("ABORTED", "The examination of this machine was aborted.");

/** macOS and others: there is nothing to ask. */
function withoutCuda(world: World): Examination {
  const { platform, arch, libc, node } = world;
  const driver = reasonOf("CUDA_PLATFORM_UNSUPPORTED", `There is no CUDA for ${platform}.`);
  const system: MachineFacts["system"] = { platform, arch, libc, node, kind: "bare metal" };
  const source: Source = { name: "system", value: platform, usedFor: "there is no CUDA on this platform", ms: 0 };
  return { sources: [source], facts: { system, driver, hardware: false, frameworks: [], toolkits: [], runtimes: [] } };
}
