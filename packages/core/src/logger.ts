/** Diagnostics on the console, filtered by HALFBYTE_LOG_LEVEL (error, warn, info, debug; default warn). */
import { environment } from "./environment.js";

const levels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof levels)[number];

export function log(level: LogLevel, message: string): void {
  const wanted = environment("HALFBYTE_LOG_LEVEL") ?? environment("BNB_LOG_LEVEL") ?? "warn";
  const limit = levels.indexOf(wanted as LogLevel);
  if (levels.indexOf(level) <= (limit < 0 ? levels.indexOf("warn") : limit)) console[level](`halfbyte: ${message}`);
}

const saidKey = Symbol.for("halfbyte.said");

/** Logs a message the first time this process hears it. */
export function logOnce(level: LogLevel, message: string): void {
  const home = globalThis as { [saidKey]?: Set<string> };
  home[saidKey] ??= new Set();
  if (home[saidKey].has(message)) return;
  home[saidKey].add(message);
  log(level, message);
}
