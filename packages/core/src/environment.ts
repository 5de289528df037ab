/** What the host offers, without importing anything from it: core runs in browsers too. */

interface HostProcess {
  readonly env?: Readonly<Record<string, string | undefined>>;
  getBuiltinModule?(name: string): unknown;
}

const hostProcess = (): HostProcess | undefined => (globalThis as { process?: HostProcess }).process;

/** An environment variable; undefined in browsers and when empty. */
export const environment = (name: string): string | undefined => hostProcess()?.env?.[name] || undefined;

/** A built-in module of Node, where there is one (Node >= 20.16, Deno, Bun). */
export const builtinModule = <T>(name: string): T | undefined =>
  hostProcess()?.getBuiltinModule?.(name) as T | undefined;
