import { halfbyteError } from "@halfbyte/core";

const [shortestMs, longestMs] = [100, 24 * 60 * 60 * 1000];

/** Shorter would be work without news; longer than 24 days, Node's timers fire at once. */
export function checkedInterval(ms: number): number {
  if (ms >= shortestMs && ms <= longestMs) return ms;
  throw halfbyteError("INVALID_ARGUMENT", `The interval of the monitor is ${ms} ms.`, {
    remedy: "Choose between 0.1 seconds and one day.",
  });
}
