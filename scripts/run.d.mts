/** Types of run.mjs, for the tests. */
interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}
export interface Captured {
  code: number;
  stdout: string;
  stderr: string;
}
export declare const root: string;
export declare const pnpmVersion: string;
export declare function npmScript(name: "npm" | "npx"): string;
export declare function pnpm(...args: string[]): string[];
export declare function node(args: readonly string[], options?: RunOptions): Promise<number>;
export declare function capture(
  args: readonly string[],
  options?: RunOptions & { timeoutMs?: number },
): Promise<Captured>;
