/** How this backend runs an operation: kernels in order of preference, each in variants that use more or less of what a device has. */
import type { Backend, NonFinite, OpName, Ops, SelfTestCase, Storage } from "@halfbyte/core";
import type { Dispatch } from "../dispatch.js";
import type { FaultWord } from "../fault-words.js";
import type { Need, Traits } from "../traits.js";

/** What a launch may use while it enqueues its dispatches. */
export interface Launcher {
  readonly traits: Traits;
  /** The codebook of a format, on the device. */
  table(format: string): Storage;
  /** Memory for this launch alone; what is in it is undefined. */
  scratch(byteLength: number): Storage;
  /**
   * Where a kernel that quantizes tells the first non-finite value of its input. `propagate`: it may, and nobody asks. A kernel that sees a slice
   * of the input counts from its beginning, which is `firstElement`.
   */
  watch(nonFinite: NonFinite | undefined, firstElement?: number): FaultWord;
  /** Enqueues. */
  run(dispatch: Dispatch): void;
}

export interface Variant<K extends OpName> {
  /** What it needs, `t0` for nothing; or, of several that need the same, how it goes about it. */
  readonly name: string;
  readonly needs: readonly Need[];
  launch(launcher: Launcher, args: Ops[K]["in"], out: Ops[K]["out"]): void;
}

/** One way to compute an operation. Its variants do the same and compete; which is first is measured where there are several. */
export interface Kernel<K extends OpName> {
  /** Stem of the WGSL file. */
  readonly name: string;
  /** Why these arguments are not for this kernel. */
  refuse?(args: Ops[K]["in"], traits: Traits): string | undefined;
  /** In order of preference where nothing was measured. */
  readonly variants: readonly Variant<K>[];
  /** What the variants compete with. Absent: their order stays. */
  sample?(backend: Backend): Promise<Ops[K]["in"]>;
}

export interface Operation<K extends OpName> {
  /** The first that takes the arguments runs them. */
  readonly kernels: readonly Kernel<K>[];
  /** What core's own cases of the self-test leave out: every variant needs one that it runs. */
  readonly cases?: readonly SelfTestCase<K>[];
}
