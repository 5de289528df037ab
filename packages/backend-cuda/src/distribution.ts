/** The distribution, as it calls itself: packages have other names on each. */
import type { World } from "./world.js";

/** ID of os-release, such as ubuntu; undefined where there is none. */
export async function distributionOf(world: Pick<World, "readText">): Promise<string | undefined> {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return /^ID="?([\w.-]+)"?$/m.exec(await world.readText(path))?.[1];
    } catch {
      // The other one may be there.
    }
  }
  return undefined;
}
