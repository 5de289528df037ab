/** Whether something is there; what cannot be looked at is not. */
import type { World } from "./world.js";

export const exists = (world: Pick<World, "realPath">, path: string): Promise<boolean> =>
  world.realPath(path).then(
    () => true,
    () => false,
  );

/** A file's text, or undefined where it cannot be read. */
export const textOrNone = (world: Pick<World, "readText">, path: string): Promise<string | undefined> =>
  world.readText(path).catch(() => undefined);
