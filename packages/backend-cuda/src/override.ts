/**
 * HALFBYTE_CUDA_VERSION=124 and HALFBYTE_ROCM_VERSION=72: that library and no other. The BNB_ names are read too; HALFBYTE_ wins.
 * Digits only: everything else is refused, an empty value included, because a mistyped override must not be a silent one.
 */
import type { Reason } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { type LibraryName, libraryId } from "./library-name.js";
import { digitsOf, type Runtime, versionOfDigits } from "./runtime-version.js";

export interface Override {
  readonly variable: string;
  readonly value: string;
  /** The library asked for, or why the value means none. */
  readonly asks: LibraryName | Reason;
  /** The other variable, when both are set. */
  readonly ignored?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined when neither variable is set. `installed` are named in the refusal. */
export function overrideOf(
  env: Environment,
  runtime: Runtime,
  installed: readonly LibraryName[],
): Override | undefined {
  const names = ["HALFBYTE", "BNB"].map((prefix) => `${prefix}_${runtime.toUpperCase()}_VERSION`);
  const [variable, ignored] = names.filter((name) => env[name] !== undefined);
  if (variable === undefined) return undefined;
  const value = env[variable]!;
  const version = versionOfDigits(runtime, value);
  const asks = version ? { runtime, version } : invalid(variable, value, runtime, installed);
  return { variable, value, asks, ...(ignored === undefined ? {} : { ignored }) };
}

/** What the variables ask for, else the option; those of CUDA before those of ROCm. */
export function requestedLibrary(
  env: Environment,
  installed: readonly LibraryName[],
  version?: string,
): Override | undefined {
  const named = overrideOf(env, "cuda", installed);
  if (version === undefined) return named ?? overrideOf(env, "rocm", installed);
  return named ? { ignored: optionName, ...named } : overrideByOption(version, installed);
}

const optionName = "the option version";

function overrideByOption(value: string, installed: readonly LibraryName[]): Override {
  const version = versionOfDigits("cuda", value);
  const asks = version ? { runtime: "cuda" as const, version } : invalid(optionName, value, "cuda", installed);
  return { variable: optionName, value, asks };
}

function invalid(variable: string, value: string, runtime: Runtime, installed: readonly LibraryName[]): Reason {
  const mine = installed.filter((library) => library.runtime === runtime);
  const example = mine[0] ? digitsOf(mine[0].version) : runtime === "cuda" ? "124" : "72";
  const there = mine.length > 0 ? [...new Set(mine.map(libraryId))].join(", ") : "none";
  return reasonOf(
    "OVERRIDE_INVALID",
    `${variable}="${value}" is not a version in digits, such as ${example}. Installed: ${there}.`,
    `Set it to digits, such as ${example}, or unset it.`,
  );
}

export const isRefused = (asks: Override["asks"]): asks is Reason => "code" in asks;
