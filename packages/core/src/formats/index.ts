/** The registry of formats: one per process, shared by the ESM and CJS builds. */
import { halfbyteError } from "../errors.js";
import { af4 } from "./af4.js";
import { checkFormat, type Format } from "./format.js";
import { fp4 } from "./fp4.js";
import { int8Blockwise, int8BlockwiseVariants } from "./int8-blockwise.js";
import { int8Rowwise } from "./int8-rowwise.js";
import { nf4 } from "./nf4.js";

const builtIn: readonly Format[] = [nf4, fp4, af4, int8Blockwise, ...int8BlockwiseVariants, int8Rowwise];

const registryKey = Symbol.for("halfbyte.formats");
function registered(): Map<string, Format> {
  const home = globalThis as { [registryKey]?: Map<string, Format> };
  home[registryKey] ??= new Map(builtIn.map((format) => [format.name, format]));
  return home[registryKey];
}

/** Makes a format known to every backend and to checkpoints. Throws INVALID_FORMAT for a bad record or a taken name. */
export function registerFormat(format: Format): void {
  checkFormat(format);
  if (registered().has(format.name)) throw halfbyteError("INVALID_FORMAT", `A format named "${format.name}" exists.`);
  registered().set(format.name, format);
}

export const formatNames = (): readonly string[] => [...registered().keys()];

export const hasFormat = (name: string): boolean => registered().has(name);

/** Throws UNKNOWN_FORMAT. */
export function getFormat(name: string): Format {
  const format = registered().get(name);
  if (format) return format;
  throw halfbyteError("UNKNOWN_FORMAT", `There is no format "${name}".`, {
    details: { found: String(name), expected: formatNames().join(", ") },
    remedy: `Use one of ${formatNames().join(", ")}, or register yours with registerFormat().`,
  });
}
