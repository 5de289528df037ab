/** A kernel's text: what it asks the device for, then its modules, in order. */

/** What a shader can use beyond the core of WGSL. */
export interface Directives {
  /** Optional features of the device. */
  readonly enable?: readonly "subgroups"[];
  /** Language features of the implementation. */
  readonly requires?: readonly "packed_4x8_integer_dot_product"[];
}

/** Of every text put together so far: tells one build's kernels from another's. */
let hash = 0x811c9dc5;

export const textsHash = (): string => hash.toString(16).padStart(8, "0");

/** Texts of modules that a kernel needs stand before it. */
export function shader(texts: readonly string[], { enable = [], requires = [] }: Directives = {}): string {
  const directives = [...enable.map((name) => `enable ${name};`), ...requires.map((name) => `requires ${name};`)];
  const text = [...directives, ...texts].join("\n");
  hash = fnv1a(hash, text);
  return text;
}

/** The FNV-1a hash of Fowler, Noll and Vo, over UTF-16 units. */
function fnv1a(seed: number, text: string): number {
  let state = seed;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return state;
}
