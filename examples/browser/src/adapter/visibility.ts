/** Waiting while nobody looks: browsers slow hidden tabs down, and a figure from one would be wrong. */
import { halfbyteError } from "@halfbyte/core";

let visible = true;
const waiting = new Set<() => void>();

export function setVisible(now: boolean): void {
  visible = now;
  if (!visible) return;
  for (const resume of waiting) resume();
  waiting.clear();
}

export const isVisible = (): boolean => visible;

/** Resolves when the tab is seen; tells when it has to wait and when that is over. Rejects when it is aborted meanwhile. */
export async function whenVisible(signal: AbortSignal, tell: (paused: boolean) => void): Promise<void> {
  if (visible) return;
  tell(true);
  await new Promise<void>((resume, reject) => {
    waiting.add(resume);
    signal.addEventListener("abort", () => reject(halfbyteError("ABORTED", "The benchmark was stopped.")), {
      once: true,
    });
  });
  tell(false);
}
