/** Asking one source: how long it took, what it found or why it failed. Never rejects: one that hangs is cut off. */
import { setMaxListeners } from "node:events";
import { messageOf } from "@halfbyte/core";
import type { AskOptions, Detector } from "./detector.js";
import { oneLine } from "./plain-text.js";
import type { World } from "./world.js";

/** Longer than any source may take. */
export const sourceLimitMs = 3_000;

export interface Answer<T> {
  readonly found?: T;
  readonly ms: number;
  readonly error?: string;
}

export async function answerOf<T>(
  detector: Detector<T>,
  world: World,
  depth: AskOptions["depth"],
  { limitMs, signal, ended }: Patience,
): Promise<Answer<T>> {
  const start = performance.now();
  // In a promise's chain, so that what throws at once is a failure like others.
  const finding = Promise.resolve().then(() => {
    signal.throwIfAborted();
    return detector.find(world, { depth, limitMs, signal });
  });
  const outcome = await Promise.race([finding, ended]).then(
    (found) => (found === undefined ? {} : withTrouble(found, detector.trouble?.(found))),
    (thrown: unknown) => ({ error: clipped(messageOf(thrown)) }),
  );
  return { ...outcome, ms: Math.round((performance.now() - start) * 100) / 100 };
}

const withTrouble = <T>(found: T, error: string | undefined): Omit<Answer<T>, "ms"> =>
  error === undefined ? { found } : { found, error: clipped(error) };

const mostError = 300;
const clipped = (text: string): string => oneLine(text, mostError);

/** How long the sources of one examination are waited for; all start together. */
export interface Patience {
  readonly limitMs: number;
  /** Fires at the end, whatever ended it. */
  readonly signal: AbortSignal;
  /** Rejects when the time is up or the caller gives up. */
  readonly ended: Promise<never>;
  release(): void;
}

export function patienceOf(limitMs: number, caller: AbortSignal | undefined): Patience {
  const controller = new AbortController();
  const { signal } = controller;
  // Every program and process that is started listens, and the caller's own signal has one listener alone.
  setMaxListeners(0, signal);
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  ended.catch(() => undefined);
  const giveUp = () => controller.abort(new Error("It was aborted."));
  const timer = setTimeout(() => controller.abort(new Error(`It did not answer within ${limitMs} ms.`)), limitMs);
  caller?.addEventListener("abort", giveUp);
  if (caller?.aborted) giveUp();
  const release = () => {
    clearTimeout(timer);
    caller?.removeEventListener("abort", giveUp);
    controller.abort(new Error("It is over."));
  };
  return { limitMs, signal, ended, release };
}
