/** Bytes for the GPU: whole words, which its queue can write, and what is left at the edges. */

/** Browsers copy what is written at once through shared memory; this bounds how much of it. */
const sliceBytes = 16 * 2 ** 20;

/** Some bytes of one word; the others are kept. */
export interface Edge {
  readonly word: number;
  readonly mask: number;
  readonly value: number;
}

export interface SplitWrite {
  readonly words: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly edges: readonly Edge[];
}

/** Writing `bytes` at `offset` of a tensor of `byteLength` bytes; behind its last byte there is nothing to keep. */
export function splitWrite(bytes: Uint8Array, offset: number, byteLength: number): SplitWrite {
  const end = offset + bytes.byteLength;
  const first = Math.min(end, Math.ceil(offset / 4) * 4);
  const last = Math.max(first, Math.floor(end / 4) * 4);
  const isEnd = end === byteLength;
  const head = edgeOf(bytes.subarray(0, first - offset), offset, isEnd && first === end);
  const tail = bytes.subarray(last - offset);
  const words = slices(bytes.subarray(first - offset, last - offset), first);
  if (tail.byteLength === 0 || !isEnd) return { words, edges: [...head, ...edgeOf(tail, last, false)] };
  return { words: [...words, { offset: last, bytes: padded(tail) }], edges: head };
}

function slices(bytes: Uint8Array, offset: number): SplitWrite["words"] {
  const count = Math.ceil(bytes.byteLength / sliceBytes);
  return Array.from({ length: count }, (_, i) => ({
    offset: offset + i * sliceBytes,
    bytes: bytes.subarray(i * sliceBytes, (i + 1) * sliceBytes),
  }));
}

const padded = (tail: Uint8Array): Uint8Array => {
  const word = new Uint8Array(4);
  word.set(tail);
  return word;
};

/** `clears`: the bytes of the word behind these become zero. */
function edgeOf(bytes: Uint8Array, offset: number, clears: boolean): Edge[] {
  if (bytes.byteLength === 0) return [];
  const [value, mask] = [new Uint8Array(4), new Uint8Array(4)];
  const at = offset % 4;
  value.set(bytes, at);
  mask.fill(0xff, at, clears ? 4 : at + bytes.byteLength);
  return [{ word: Math.floor(offset / 4), mask: littleEndian(mask), value: littleEndian(value) }];
}

const littleEndian = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(0, true);
