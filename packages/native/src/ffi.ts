/**
 * The functions of a native library. This file and probe-child.cjs are the only ones that speak koffi. A typed array in place of a pointer is
 * passed by its address, without a copy.
 */
import { type LibraryHandle, load, pointer, struct } from "koffi";
import type { IdentityFunctions, NativeFunctions, OptionalFunctions, RequiredFunctions } from "./functions.js";
import {
  functionSignatures,
  identitySignatures,
  optionalSignatures,
  type Signature,
  stepFields,
} from "./signatures.js";

/** A library in this process; it is never unloaded. */
export interface OpenedLibrary {
  readonly identity: IdentityFunctions;
  /** Throws when one is missing. */
  functions(): NativeFunctions;
}

/** Throws with the loader's own words, or when this is no library of ours. */
export function openLibrary(path: string): OpenedLibrary {
  const handle = load(path);
  return {
    identity: bind(handle, identitySignatures),
    functions: () => ({ ...bind<RequiredFunctions>(handle, functionSignatures), ...bindOptional(handle) }),
  };
}

function bind<F extends object>(handle: LibraryHandle, wanted: Readonly<Record<keyof F, Signature>>): F {
  const entries = Object.entries<Signature>(wanted).map(([name, [result, parameters]]) => [
    name,
    handle.func(name, result, parameters.map(koffiType)),
  ]);
  return Object.fromEntries(entries) as F;
}

/** Those that the library has. */
function bindOptional(handle: LibraryHandle): OptionalFunctions {
  const names = Object.keys(optionalSignatures) as (keyof OptionalFunctions)[];
  return Object.assign({}, ...names.map((name) => bindIfThere(handle, name)));
}

function bindIfThere(handle: LibraryHandle, name: keyof OptionalFunctions): OptionalFunctions {
  try {
    return bind<OptionalFunctions>(handle, { [name]: optionalSignatures[name] } as typeof optionalSignatures);
  } catch {
    return {};
  }
}

// Without a name: two copies of this module may share one koffi.
const stepPointer = pointer(struct(stepFields));

const koffiType = (type: string) => (type === "hb_step *" ? stepPointer : type);
