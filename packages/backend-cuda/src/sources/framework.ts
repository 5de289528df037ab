/** What frameworks of the application have in common as sources. */
import type { ApplicationPackage } from "../application-package.js";
import { type Context, ignored, type Role, used } from "../detector.js";
import type { Framework } from "../machine-facts.js";

/** Whether it is loaded is known when all sources have answered. */
export const frameworkAt = (name: string, { version, indirect }: ApplicationPackage) => ({
  name,
  version,
  loaded: false,
  ...(indirect && { indirect }),
});

export const sayFramework = ({ version, cuda, toldBy }: Framework): string =>
  cuda ? `${version}, CUDA ${cuda.major}.${cuda.minor ?? "x"} (${toldBy})` : `${version}, no CUDA (${toldBy})`;

export function frameworkRole(found: Framework | undefined, { facts: { host } }: Context): Role {
  if (!found) return ignored("the application does not have it");
  if (!found.cuda) return ignored("its files name no CUDA version");
  if (host?.framework === found.name) return used("the CUDA version that is preferred");
  return ignored(`${host?.framework ?? "another source"} is what counts`);
}
