/** The linear layers of known language models, from their public configurations. */
import { halfbyteError } from "@halfbyte/core";

export interface Architecture {
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  /** Width of the feed-forward part. */
  readonly inner: number;
  /** Width of all query heads, and of all key (and value) heads. */
  readonly queries: number;
  readonly keys: number;
}

export const architectures: readonly Architecture[] = [
  { name: "SmolLM2-135M", layers: 30, hidden: 576, inner: 1536, queries: 576, keys: 192 },
  { name: "Qwen2.5-0.5B", layers: 24, hidden: 896, inner: 4864, queries: 896, keys: 128 },
  { name: "Llama-3.2-1B", layers: 16, hidden: 2048, inner: 8192, queries: 2048, keys: 512 },
  { name: "Llama-3.1-8B", layers: 32, hidden: 4096, inner: 14336, queries: 4096, keys: 1024 },
];

/** Throws INVALID_ARGUMENT. */
export function architectureOf(name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found) return found;
  throw halfbyteError("INVALID_ARGUMENT", `There is no model "${name}".`, {
    remedy: `Use one of ${architectures.map((known) => known.name).join(", ")}.`,
  });
}

export interface LinearShape {
  readonly n: number;
  readonly k: number;
}

/**
 * The layers that one token passes, in order: attention and feed-forward of every block. The output embedding is not among them,
 * for bitsandbytes leaves it as it is.
 */
export function linearShapes({ layers, hidden, inner, queries, keys }: Architecture): LinearShape[] {
  const block = [
    { n: queries, k: hidden },
    { n: keys, k: hidden },
    { n: keys, k: hidden },
    { n: hidden, k: queries },
    { n: inner, k: hidden },
    { n: inner, k: hidden },
    { n: hidden, k: inner },
  ];
  return Array.from({ length: layers }, () => block).flat();
}
