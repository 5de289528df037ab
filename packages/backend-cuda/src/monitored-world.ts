/** What the monitor touches of the machine beyond what detection does. */
import type { World } from "./world.js";

/** A system library in a process of its own: it may hang or crash without harm. */
export interface IsolatedLibrary {
  readonly path: string;
  /** Fills the arrays and gives the status; undefined when there is no such function. Rejects when the process has ended. */
  call(name: string, signature: string, ...args: readonly unknown[]): Promise<number | undefined>;
  /** Ends the process. */
  close(): void;
}

export interface MonitoredWorld extends World {
  /** openLibrary() in a process of its own, which is ended when a call takes longer than the limit. Rejects when it cannot be had. */
  isolateLibrary(name: string, limitMs: number): Promise<IsolatedLibrary>;
}
