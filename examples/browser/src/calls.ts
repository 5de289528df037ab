/**
 * Calls from the page to a worker: arguments go over, progress and a result come back, and an AbortSignal on this side fires one on
 * the other. Both sides are typed by one table of calls.
 */
import type { Reason } from "@halfbyte/core";
import { errorFrom, failureOf } from "./failure.js";

/** What a call takes, tells on its way and gives. */
export interface Call<In, Out, Progress = never> {
  readonly in: In;
  readonly out: Out;
  readonly progress: Progress;
}

/** A table of calls, its values unknown. */
type Table<C> = { readonly [K in keyof C]: Call<unknown, unknown, unknown> };

type Request = { readonly id: number } & ({ readonly name: string; readonly args: unknown } | { readonly abort: true });
type Reply = { readonly id: number } & (
  | { readonly progress: unknown }
  | { readonly result: unknown }
  | { readonly failure: Reason }
);

export interface CallOptions<Progress> {
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export type Caller<C extends Table<C>> = <K extends keyof C & string>(
  name: K,
  args: C[K]["in"],
  options?: CallOptions<C[K]["progress"]>,
) => Promise<C[K]["out"]>;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: ((progress: never) => void) | undefined;
}

/** A function that calls the worker. When the worker itself fails, every open call fails with the reason. */
export function callerOf<C extends Table<C>>(worker: Worker): Caller<C> {
  const pending = new Map<number, Pending>();
  let last = 0;
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => settle(pending, data));
  worker.addEventListener("error", ({ message }) => {
    const error = errorFrom(failureOf(new Error(message || "The worker of this page could not be started.")));
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  });
  return (name, args, { onProgress, signal } = {}) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      pending.set(id, { resolve: resolve as (result: unknown) => void, reject, onProgress });
      worker.postMessage({ id, name, args } satisfies Request);
      signal?.addEventListener("abort", () => worker.postMessage({ id, abort: true } satisfies Request), {
        once: true,
      });
    });
}

function settle(pending: Map<number, Pending>, reply: Reply): void {
  const call = pending.get(reply.id);
  if (!call) return;
  if ("progress" in reply) {
    call.onProgress?.(reply.progress as never);
    return;
  }
  pending.delete(reply.id);
  if ("failure" in reply) call.reject(errorFrom(reply.failure));
  else call.resolve(reply.result);
}

export interface Answering<Progress> {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

export type Answers<C extends Table<C>> = {
  readonly [K in keyof C]: (args: C[K]["in"], context: Answering<C[K]["progress"]>) => Promise<C[K]["out"]>;
};

/** The worker's side: runs what is called and sends back what comes of it. */
export function answerCalls<C extends Table<C>>(answers: Answers<C>): void {
  const running = new Map<number, AbortController>();
  addEventListener("message", async ({ data }: MessageEvent<Request>) => {
    if ("abort" in data) return running.get(data.id)?.abort();
    const { id, name, args } = data;
    const controller = new AbortController();
    running.set(id, controller);
    const progress = (told: unknown) => postMessage({ id, progress: told } satisfies Reply);
    try {
      const result = await answers[name as keyof C](args, { signal: controller.signal, progress });
      postMessage({ id, result } satisfies Reply);
    } catch (thrown) {
      postMessage({ id, failure: failureOf(thrown) } satisfies Reply);
    } finally {
      running.delete(id);
    }
  });
}
