/** Two 4-bit codes per byte, the first element in the high nibble; an odd tensor ends in the code of the value 0. */

export const packPair = (first: number, second: number): number => (first << 4) | second;
export const firstCode = (byte: number): number => byte >> 4;
export const secondCode = (byte: number): number => byte & 15;

/** Where the code of an element is; shifting would lose indices from 2³¹ on. */
const byteOf = (index: number): number => (index - (index & 1)) / 2;

/** Code of element `index`. */
export const codeAt = (bytes: Uint8Array, index: number): number =>
  (index & 1) === 0 ? firstCode(bytes[byteOf(index)]!) : secondCode(bytes[byteOf(index)]!);

/** Entries of `table` for the codes of elements [begin, end), to `out[at]` and on: whole bytes at a time. */
export function lookUpCodes(
  bytes: Uint8Array,
  begin: number,
  end: number,
  table: Float32Array,
  out: Float32Array,
  at: number,
): void {
  let to = at;
  if ((begin & 1) === 1 && begin < end) out[to++] = table[codeAt(bytes, begin)]!;
  const pairsEnd = byteOf(end);
  for (let i = Math.ceil(begin / 2); i < pairsEnd; i++) {
    const byte = bytes[i]!;
    out[to] = table[firstCode(byte)]!;
    out[to + 1] = table[secondCode(byte)]!;
    to += 2;
  }
  if ((end & 1) === 1 && begin < end) out[to] = table[codeAt(bytes, end - 1)]!;
}

/** Packs one code per element; `padding` fills the last nibble of an odd count. */
export function packCodes(codes: Uint8Array, padding: number): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(codes.length / 2) }, (_, i) =>
    packPair(codes[2 * i]!, codes[2 * i + 1] ?? padding),
  );
}

export function unpackCodes(bytes: Uint8Array, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => codeAt(bytes, i));
}
