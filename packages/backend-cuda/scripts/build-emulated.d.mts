export function reasonWithoutEmulation(): string | undefined;
export const emulationFlags: readonly string[];
export function buildEmulated(options?: {
  output?: string;
  source?: string;
  flags?: readonly string[];
  compiler?: string;
}): string;
export function sourcesIn(folder: string): string[];
export function compile(args: readonly string[], compiler?: string): void;
