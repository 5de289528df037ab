/** A library of the system, such as libcuda or NVML, through koffi. A typed array in place of a pointer is passed by its address. */
import { type LibraryHandle, load } from "koffi";
import type { SystemLibrary } from "./world.js";

type SystemFunction = ReturnType<LibraryHandle["func"]>;

/** koffi unloads what nobody refers to any more. */
const opened = new Map<string, SystemLibrary>();

/** Throws with the loader's own words. The library stays: others in this process may use it, and a driver must not go and come. */
export function openSystemLibrary(path: string): SystemLibrary {
  const library = opened.get(path) ?? open(path);
  opened.set(path, library);
  return library;
}

function open(path: string): SystemLibrary {
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
