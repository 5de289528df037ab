/** Tensors in memory of the host: which operations take them. */
import { isTensor, type OpName, storageOf } from "@halfbyte/core";
import { nativeOf } from "./native-storage.js";

const pageable: { readonly [op in OpName | "out"]?: readonly string[] } = {
  optimizerUpdate32bit: ["state1", "state2"],
  optimizerUpdate8bitBlockwise: ["state1", "state2"],
};

/** Why an operation does not take these arguments, or does not write to these outputs; undefined: it does. */
export function refusePaged(op: OpName | "out", tensors: object): string | undefined {
  const allowed = pageable[op] ?? [];
  const refused = pagedNames(tensors).find((name) => !allowed.includes(name));
  if (refused === undefined) return undefined;
  return `"${refused}" is paged: optimizer updates take such a tensor as state1 or state2, no other operation does; read() works, and what it gives makes an ordinary tensor.`;
}

/** Of the tensors among the arguments, also of those that a quantized weight is made of. */
function pagedNames(tensors: object): string[] {
  return Object.entries(tensors).flatMap(([name, value]) => {
    if (name === "backend" || typeof value !== "object" || value === null) return [];
    if (!("byteLength" in value)) return pagedNames(value);
    // Tensors that explain() makes up have no storage.
    return isTensor(value) && nativeOf(storageOf(value)).paged ? [name] : [];
  });
}
