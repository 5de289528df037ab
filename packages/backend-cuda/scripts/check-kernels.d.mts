import type { Instructions, Resources } from "./kernel-code.mjs";
import type { Expectation } from "./kernel-expectations.mjs";

type Range = readonly [least: number, most: number];

/** A kernel in a library, over its instances. */
export interface KernelRow {
  readonly kernel: string;
  readonly instances: number;
  readonly shared: Range;
  /** By capability: 8.6 */
  readonly registers: Readonly<Record<string, Range>>;
}
export function kernelProblems(library: string): string[];
export function memoryProblems(resources: readonly Resources[]): string[];
export function instructionProblems(
  architecture: string,
  kernels: readonly Instructions[],
  expected?: readonly Expectation[],
): string[];
export function kernelRows(resources: readonly Resources[]): KernelRow[];
export function recordKernels(library: string): void;
export function kernelTable(rows: readonly KernelRow[]): string[];
