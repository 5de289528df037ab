/** Kernel calls as users make them: the call, the wait, and what becomes of the outputs. */
import type { Backend, OpName, Ops, Tensor } from "@halfbyte/core";
import type { Own } from "./case.js";
import { timed } from "./measure/subject.js";

/** Enqueues the work of copy number `copy`; with `into`, its outputs go there. */
export type Call<Out> = (copy: number, into?: Out) => Out;

export interface KernelCalls<Out extends object> {
  readonly ours: readonly Own[];
  /** Those of the last copy, until the first timed run. */
  readonly outputs: Out;
  dispose(): void;
}

export function disposeAll(all: Iterable<Disposable>): void {
  for (const one of all) one[Symbol.dispose]();
}

const tensorsOf = (outputs: object): Tensor[] => Object.values(outputs) as Tensor[];

/** The two ways to hold outputs: fresh ones that go back to the pool after each call, and the same ones every time. */
export function kernelCalls<Out extends object>(backend: Backend, copies: number, call: Call<Out>): KernelCalls<Out> {
  const turn = turns(copies);
  const reused = call(0);
  // The first product with a weight packs it; that is no part of any later one.
  for (let copy = 1; copy < copies; copy++) call(copy, reused);
  const fresh: Out[] = [];
  const pool = timed({
    enqueue: () => void fresh.push(call(turn())),
    async wait() {
      await backend.synchronize();
      for (const outputs of fresh.splice(0)) disposeAll(tensorsOf(outputs));
    },
  });
  const into = timed({ enqueue: () => void call(turn(), reused), wait: () => backend.synchronize() });
  return {
    ours: [
      { memory: "pool", subject: pool },
      { memory: "into", subject: into },
    ],
    outputs: reused,
    dispose: () => disposeAll(tensorsOf(reused)),
  };
}

/** What runs these arguments: kernel and variant, or the operations that it is composed of. */
export function variantOf<K extends OpName>(backend: Backend, op: K, args: Ops[K]["in"]): string {
  const told = backend.explain(op, args);
  return "variant" in told ? `${told.kernel} ${told.variant}` : told.message;
}

/** 0, 1, …, count − 1, 0, … */
export function turns(count: number): () => number {
  let next = 0;
  return () => next++ % count;
}
