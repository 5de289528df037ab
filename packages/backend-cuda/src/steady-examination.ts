/**
 * The last full examination, for as long as nothing speaks against it. A full one starts the driver and programs; so every reading
 * asks only what is cheap, and asks everything when that has changed, when the GPUs have, or when the last time was long ago. Between,
 * the facts of the full one hold: mixing both depths would show changes that are none.
 */
import type { Compatibility } from "./compatibility.js";
import type { Examination, ExamineOptions } from "./machine-facts.js";
import type { World } from "./world.js";

interface Examiner {
  readonly world: World;
  examine(world: World, options?: ExamineOptions): Promise<Examination>;
}

export class SteadyExamination {
  #full: { readonly examination: Examination; readonly key: string; readonly at: number } | undefined;

  constructor(
    readonly examiner: Examiner,
    readonly fullEveryMs: number,
  ) {}

  async read(gpus: Compatibility["gpus"], signal: AbortSignal): Promise<Examination> {
    const quick = await this.examiner.examine(this.examiner.world, { depth: "quick", signal });
    const key = JSON.stringify([quick.facts, gpus]);
    const last = this.#full;
    if (last && last.key === key && performance.now() - last.at < this.fullEveryMs) return last.examination;
    const examination = await this.examiner.examine(this.examiner.world, { depth: "full", signal });
    this.#full = { examination, key, at: performance.now() };
    return examination;
  }
}
