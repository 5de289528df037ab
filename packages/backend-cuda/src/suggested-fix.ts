/** The one thing to do next, by what is wrong and on what kind of system: a sentence, and a command where one does it. */
import type { Reason } from "@halfbyte/core";
import { forOldDriver, installDriver, nativeCode, newerDriverOf, showDevices } from "./driver-fix.js";
import { build, buildForGpu, getLibraries, reinstall } from "./library-fix.js";
import type { MachineFacts } from "./machine-facts.js";
import { anotherLibrary, anotherOverride, notNewerThanDriver, withoutOverride } from "./other-library-fix.js";
import type { Environment, Override } from "./override.js";
import { afterUpdate, removeCompat, withoutCompat, withoutStubs } from "./search-path-fix.js";
import type { Verdict } from "./selection.js";

export interface Fix {
  readonly remedy: string;
  readonly command: string | null;
}

export interface Situation {
  /** What is wrong, or what is to be said of the library that works. */
  readonly reason: Reason;
  readonly facts: MachineFacts;
  readonly env: Environment;
  /** ID of /etc/os-release. */
  readonly distribution?: string;
  /** Without an override, best first. */
  readonly candidates: readonly Verdict[];
  readonly override?: Override;
  /** Libraries that failed their probe. */
  readonly failed: readonly string[];
}

type FixOf = (situation: Situation) => Fix | undefined;

/** The fix for a code; codes that are not here have the remedy of their reason, which needs no machine to be right. */
const fixes: Readonly<Record<string, FixOf>> = {
  OVERRIDE_INVALID: (situation) => anotherOverride(situation),
  OVERRIDE_NOT_FOUND: (situation) => anotherOverride(situation),
  CUDA_NO_DRIVER: (situation) => installDriver(situation),
  CUDA_NO_DEVICE: (situation) => showDevices(situation),
  CUDA_DRIVER_TOO_OLD: (situation) => forOldDriver(situation),
  CUDA_DRIVER_MISMATCH: (situation) => withoutCompat(situation) ?? afterUpdate(situation),
  CUDA_FORWARD_COMPAT: (situation) => withoutCompat(situation) ?? removeCompat,
  CUDA_STUB_DRIVER: (situation) => withoutStubs(situation),
  CUDA_DEVICE_BUSY: () => ({
    remedy: "Wait for the process that holds the GPU, or give the GPU back to all.",
    command: "sudo nvidia-smi -c 0",
  }),
  CUDA_NOT_READY: () => ({
    remedy: "Start the fabric manager of the driver's version.",
    command: "sudo systemctl start nvidia-fabricmanager",
  }),
  CUDA_NO_CODE_FOR_GPU: (situation) => buildForGpu(situation),
  CUDA_PTX_TOO_NEW: (situation) => newerDriverOf(situation),
  CUDA_KERNEL_IMAGE_INVALID: (situation) => newerDriverOf(situation),
  CUDA_NO_LIBRARY_FITS: (situation) => forCandidates(situation),
  LIBRARY_NOT_FOUND: (situation) => getLibraries(situation),
  LIBRARY_WRONG_ARCHITECTURE: (situation) => getLibraries(situation),
  LIBRARY_CHANGED: (situation) => reinstall(situation),
  LIBRARY_MANIFEST_INVALID: (situation) => reinstall(situation),
  LIBRARY_ABI_MISMATCH: (situation) => reinstall(situation),
  LIBC_MUSL: () => ({
    remedy: "Use an image with glibc, such as Debian's; on this one the cpu backend runs in WebAssembly.",
    command: "docker run --rm --gpus all node:22-bookworm-slim npx -y halfbyte doctor",
  }),
  GLIBC_TOO_OLD: () => build("Use a newer distribution, or build the library on this one."),
  DRIVER_OLDER: (situation) => notNewerThanDriver(situation),
  PTX_JIT: (situation) => nativeCode(situation),
};

export function suggestedFix(situation: Situation): Fix {
  const { reason, override } = situation;
  const other = override && !reason.code.startsWith("OVERRIDE_") ? withoutOverride(situation, override) : undefined;
  return (
    other ?? fixes[reason.code]?.(situation) ?? anotherLibrary(situation) ?? { remedy: reason.remedy, command: null }
  );
}

/** What is fixed most easily, first. */
const easiest = [
  "LIBRARY_CHANGED",
  "LIBRARY_MANIFEST_INVALID",
  "CUDA_NO_CODE_FOR_GPU",
  "CUDA_PTX_TOO_NEW",
  "CUDA_DRIVER_TOO_OLD",
];

/** Several libraries, several reasons: the fix of one of them. */
function forCandidates(situation: Situation): Fix | undefined {
  const { candidates, reason } = situation;
  const others = candidates.filter(({ code }) => code !== reason.code);
  const one = easiest.flatMap((code) => others.find((candidate) => candidate.code === code) ?? [])[0] ?? others[0];
  if (!one) return undefined;
  const its = { code: one.code, message: one.reason, remedy: one.remedy ?? reason.remedy };
  return fixes[one.code]?.({ ...situation, reason: its }) ?? { remedy: its.remedy, command: null };
}
