/** Programs that tests start. */
import { spawnSync } from "node:child_process";

export interface Ended {
  /** Null when a signal ended it or it could not be started. */
  readonly status: number | null;
  readonly output: string;
}

export const run = (program: string, ...args: string[]): Ended => runIn(process.env, program, ...args);

export function runIn(env: NodeJS.ProcessEnv, program: string, ...args: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env, maxBuffer: 64 << 20 });
  return { status, output: `${stdout ?? ""}${stderr ?? ""}` };
}

export const isThere = (program: string): boolean => run(program, "--version").status === 0;
