/** The numbers of include/halfbyte.h; a test holds them to the header. */
import type { Accuracy, Float, Optimizer, Profile } from "@halfbyte/core";

export const abiVersion = 3;

export const status = { ok: 0, outOfMemory: 1, unsupported: 2, deviceLost: 3, failed: 4 } as const;

/** What lies at an address that another library gave. */
export const foundNumbers = {
  usable: 0,
  unknown: 1,
  pinnedHost: 2,
  managed: 3,
  otherDevice: 4,
  misaligned: 5,
  tooLong: 6,
} as const;

export const dtypeNumbers: Readonly<Record<Float, number>> = { float32: 0, float16: 1, bfloat16: 2 };

/** Profile cpu exists in the reference kernels only. */
export const profileNumbers: Readonly<Record<Exclude<Profile, "cpu">, number>> = { reference: 0, cuda: 1 };

/** How a 4-bit code is decided: by the table alone, or by a rule of its own. */
export const formatNumbers = { table: 0, nf4: 1, fp4: 2 } as const;

export const accuracyNumbers: Readonly<Record<Accuracy, number>> = { exact: 0, fast: 1, turbo: 2 };

const rules = { adam: 0, ademamix: 1, momentum: 2, lion: 3, rmsprop: 4, adagrad: 5 } as const;

/** Optimizers that differ in options alone share a number. */
export const optimizerNumbers: Readonly<Record<Optimizer, number>> = {
  ...rules,
  adamw: rules.adam,
  lamb: rules.adam,
  lars: rules.momentum,
};
