/** Of one kernel on one architecture ("80"); bytes. */
export interface Resources {
  readonly architecture: string;
  readonly symbol: string;
  readonly registers: number;
  readonly stack: number;
  readonly shared: number;
  readonly local: number;
}
export interface Instructions {
  readonly symbol: string;
  /** By name with modifiers. */
  readonly counts: ReadonlyMap<string, number>;
}
export function resourcesIn(library: string): Resources[] | undefined;
export function instructionsIn(library: string, architecture: string): Instructions[] | undefined;
export function parseResources(text: string): Resources[];
export function parseInstructions(text: string): Instructions[];
export function kernelOf(symbol: string): string;
