/** Garbage collection on demand: workers of vitest have no --expose-gc. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects until `done`, or gives up; finalization callbacks run in later turns. */
export async function collectGarbage(done: () => boolean = () => false): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let i = 0; i < 20 && !done(); i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
