/** A library of the system, such as libcuda or NVML, through koffi. A typed array in place of a pointer is passed by its address. */
import { type LibraryHandle, load } from "koffi";
import type { SystemLibrary } from "./world.js";

type SystemFunction = ReturnType<LibraryHandle["func"]>;

/** Throws with the loader's own words. The library is never unloaded: others in this process may use it. */
export function openSystemLibrary(path: string): SystemLibrary {
  const handle = load(path);
  const bound = new Map<string, SystemFunction>();
  const bind = (name: string, signature: string): SystemFunction => {
    const known = bound.get(name);
    if (known) return known;
    const types = signature === "" ? [] : signature.split(",").map((type) => type.trim());
    const made = handle.func(name, "int", types);
    bound.set(name, made);
    return made;
  };
  return { path, call: (name, signature, ...args) => bind(name, signature)(...args) as number };
}
