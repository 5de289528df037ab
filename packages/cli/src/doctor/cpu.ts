/** What runs where CUDA does not: the tiers of the CPU backend, as far as they show without opening it. */
import type { Detection } from "@halfbyte/core";

export interface CpuReport {
  readonly available: boolean;
  /** native, wasm or wasm-relaxed: the first that nothing speaks against. */
  readonly tier: string | null;
  readonly library: string | null;
  readonly device: string | null;
  /** The tiers that come before it, or all when there is none. */
  readonly refused: readonly { readonly library: string; readonly code: string; readonly reason: string }[];
  /** Variables that are set. */
  readonly settings: readonly {
    readonly name: string;
    readonly value: string;
    readonly ignoredBecause: string | null;
  }[];
}

export function cpuReport({ available, candidates, devices, sources }: Detection): CpuReport {
  const first = candidates.findIndex(({ verdict }) => verdict !== "refused");
  const chosen = candidates[first];
  const before = first < 0 ? candidates : candidates.slice(0, first);
  return {
    available,
    tier: chosen ? tierOf(chosen.library) : null,
    library: chosen ? plainPath(chosen.library) : null,
    device: devices[0]?.name ?? null,
    refused: before.map(({ library, code, reason }) => ({ library: plainPath(library), code, reason })),
    settings: sources.flatMap(({ name, value, ignoredBecause = null }) =>
      value === null ? [] : { name, value, ignoredBecause },
    ),
  };
}

function tierOf(library: string): string {
  if (!library.endsWith(".wasm")) return "native";
  return library.includes("relaxed") ? "wasm-relaxed" : "wasm";
}

const plainPath = (library: string): string => library.replace(/^file:\/\//, "");
