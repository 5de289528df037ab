/** What finding toolkits touches of a machine. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  exists(path: string): boolean;
  list(folder: string): readonly string[];
  /** What a program prints; undefined when it fails. */
  run(program: string, args: readonly string[]): string | undefined;
}
export interface Toolkit {
  /** 12.4 */
  readonly version: string;
  /** 12.4.131 */
  readonly build: string;
  readonly nvcc: string;
  /** The option, variable or folder that led there. */
  readonly toldBy: string;
}
export const thisMachine: Machine;
export function toolkitCache(machine?: Pick<Machine, "env" | "home">): string;
export function findToolkits(named?: readonly string[], machine?: Machine): Toolkit[];
export function versionIn(text: string | undefined): string | undefined;
export function hostCompiler(toolkit: Pick<Toolkit, "version">, machine?: Machine): string | undefined;
export function sysroot(machine?: Machine): string | undefined;
export function findCuobjdump(machine?: Machine): string | undefined;
