/** A library as its manifest describes it. */
export interface Entry {
  readonly file: string;
  readonly sha256: string;
  readonly abi: number;
  readonly backend: "cuda";
  readonly runtime: "cuda";
  /** Of CUDA: 12.4 */
  readonly version: string;
  readonly halfbyte: string;
  /** Capabilities: 8.6 */
  readonly sass: readonly string[];
  readonly ptx: readonly string[];
  readonly linkage: "static";
  readonly platform: string;
  readonly arch: string;
  readonly libc: "glibc";
  readonly glibc: string | null;
  /** Shared libraries that must be there. */
  readonly needs: readonly string[];
  readonly compiler: string;
  /** Whether it was linked against the old system of fetch-toolkits.mjs. */
  readonly sysroot: boolean;
  /** Hash of everything it was made of. */
  readonly inputs: string;
}
export function sha256(path: string): string;
export function entriesOf(folder: string): Entry[];
export function putEntry(folder: string, entry: Entry): void;
