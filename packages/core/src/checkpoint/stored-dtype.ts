/** The element types of a safetensors file. */

/**
 * Bits per element, in the order in which the format's own library lays tensors out: the reverse of its `Dtype`, widest
 * alignment first. Files written in another order are legal; files written in this one are equal byte for byte.
 */
const storedBits = {
  U64: 64,
  I64: 64,
  F64: 64,
  C64: 64,
  F32: 32,
  U32: 32,
  I32: 32,
  BF16: 16,
  F16: 16,
  U16: 16,
  I16: 16,
  F8_E5M2FNUZ: 8,
  F8_E4M3FNUZ: 8,
  F8_E8M0: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  I8: 8,
  U8: 8,
  F6_E3M2: 6,
  F6_E2M3: 6,
  F4: 4,
  BOOL: 8,
} as const;

export type StoredDType = keyof typeof storedBits;

/** Every dtype, in layout order. */
export const storedDTypes: readonly StoredDType[] = Object.keys(storedBits).filter(isStoredDType);

const ranks = new Map<StoredDType, number>(storedDTypes.map((dtype, rank) => [dtype, rank]));

export function isStoredDType(name: string): name is StoredDType {
  return Object.hasOwn(storedBits, name);
}

/** Position in layout order. */
export function layoutRank(dtype: StoredDType): number {
  return ranks.get(dtype)!;
}

/** Bytes of a tensor: a fraction when sub-byte elements leave a byte half full, Infinity past 2^53 - 1. */
export function storedByteCount(dtype: StoredDType, shape: readonly number[]): number {
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!(count <= Number.MAX_SAFE_INTEGER)) return Number.POSITIVE_INFINITY;
  }
  const bytes = count * (storedBits[dtype] / 8);
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : Number.POSITIVE_INFINITY;
}
