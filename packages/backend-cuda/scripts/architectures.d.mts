export interface Architectures {
  readonly sass: readonly string[];
  readonly ptx: readonly string[];
}
export function architecturesOf(listed: string): Architectures;
export function gencode(architectures: Architectures): string[];
export function capabilityOf(number: string): string;
