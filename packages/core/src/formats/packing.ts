/** Two 4-bit codes per byte, the first element in the high nibble; an odd tensor ends in the code of the value 0. */

export const packPair = (first: number, second: number): number => (first << 4) | second;
export const firstCode = (byte: number): number => byte >> 4;
export const secondCode = (byte: number): number => byte & 15;

/** Code of element `index`. */
export const codeAt = (bytes: Uint8Array, index: number): number =>
  (index & 1) === 0 ? firstCode(bytes[index >> 1]!) : secondCode(bytes[index >> 1]!);

/** Packs one code per element; `padding` fills the last nibble of an odd count. */
export function packCodes(codes: Uint8Array, padding: number): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(codes.length / 2) }, (_, i) =>
    packPair(codes[2 * i]!, codes[2 * i + 1] ?? padding),
  );
}

export function unpackCodes(bytes: Uint8Array, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => codeAt(bytes, i));
}
