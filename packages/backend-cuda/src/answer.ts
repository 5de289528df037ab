/** Asking one source: how long it took, what it found or why it failed. Never rejects: one that hangs is cut off. */
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

export interface AskingOptions {
  readonly depth: AskOptions["depth"];
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

export async function answerOf<T>(detector: Detector<T>, world: World, options: AskingOptions): Promise<Answer<T>> {
  const start = performance.now();
  const patience = patienceOf(options);
  const { signal, ended } = patience;
  // In a promise's chain, so that what throws at once is a failure like others.
  const finding = Promise.resolve().then(() => {
    signal.throwIfAborted();
    return detector.find(world, { ...options, signal });
  });
  // Whoever is cut off may still fail, long after anybody listens.
  finding.catch(() => undefined);
  const outcome = await Promise.race([finding, ended]).then(
    (found) => (found === undefined ? {} : withTrouble(found, detector.trouble?.(found))),
    (thrown: unknown) => ({ error: clipped(messageOf(thrown)) }),
  );
  patience.release();
  return { ...outcome, ms: Math.round((performance.now() - start) * 100) / 100 };
}

const withTrouble = <T>(found: T, error: string | undefined): Omit<Answer<T>, "ms"> =>
  error === undefined ? { found } : { found, error: clipped(error) };

const mostError = 300;
const clipped = (text: string): string => oneLine(text, mostError);

/** `ended` rejects when the time is up or the caller gives up, and `signal` tells the source so. */
function patienceOf({ limitMs, signal: given }: AskingOptions) {
  const controller = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason));
  });
  ended.catch(() => undefined);
  const give = () => controller.abort(new Error("It was aborted."));
  const timer = setTimeout(() => controller.abort(new Error(`It did not answer within ${limitMs} ms.`)), limitMs);
  given?.addEventListener("abort", give);
  if (given?.aborted) give();
  const release = () => {
    clearTimeout(timer);
    given?.removeEventListener("abort", give);
    // Ends what the source still has running.
    controller.abort(new Error("It is over."));
  };
  return { signal: controller.signal, ended, release };
}
