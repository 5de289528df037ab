/** What translated shaders call. */

/** A buffer as its words; writing beyond it is a mistake of the kernel. */
export class HostBuffer {
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;

  constructor(
    readonly bytes: ArrayBuffer,
    readonly byteOffset = 0,
    readonly byteLength = bytes.byteLength,
  ) {
    this.u32 = new Uint32Array(bytes, byteOffset, byteLength >> 2);
    this.i32 = new Int32Array(bytes, byteOffset, byteLength >> 2);
    this.f32 = new Float32Array(bytes, byteOffset, byteLength >> 2);
  }

  /** Index of the word at an offset. */
  at(offset: number): number {
    if (offset >= 0 && offset < this.byteLength) return offset >>> 2;
    throw new Error(`byte ${offset} of a buffer of ${this.byteLength}`);
  }

  /** Offset of an element of an array that is as long as the buffer. */
  element(index: number, stride: number): number {
    if (index < Math.floor(this.byteLength / stride)) return index * stride;
    throw new Error(`element ${index} of ${Math.floor(this.byteLength / stride)}`);
  }

  /** The same for reading: of what lies beyond, the last element is had. */
  nearest(index: number, stride: number): number {
    return Math.max(0, Math.min(index, Math.floor(this.byteLength / stride) - 1)) * stride;
  }

  put(offset: number, type: "u32" | "i32" | "f32", values: readonly number[]): void {
    for (const [i, value] of values.entries()) this[type][this.at(offset + 4 * i)] = value;
  }
}

const word = new DataView(new ArrayBuffer(4));

type Scalars = number | boolean;
type Composite = Scalars | readonly Composite[] | { readonly [name: string]: Composite };

function copied(value: Composite): Composite {
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copied(member)]));
}

export const runtime = {
  within(list: { readonly length: number }, index: number): number {
    if (index < list.length && index >= 0) return index;
    throw new Error(`element ${index} of ${list.length}`);
  },
  missing(name: string): never {
    throw new Error(`no value is given for ${name}`);
  },
  copied: (value: Composite): Composite => copied(value),
  elementwise(one: (...values: Scalars[]) => Scalars, ...args: (Scalars | Scalars[])[]): Scalars[] {
    const { length } = args.find(Array.isArray) as Scalars[];
    return Array.from({ length }, (_, i) => one(...args.map((arg) => (Array.isArray(arg) ? arg[i]! : arg))));
  },
  swizzled: (vector: readonly number[], at: readonly number[]): number[] => at.map((i) => vector[i]!),
  atomically(
    pointer: { value: number },
    update: (old: number, operand: number | undefined) => number,
    operand?: number,
  ): number {
    const old = pointer.value;
    pointer.value = update(old, operand);
    return old;
  },
  bitsOf(value: number): number {
    word.setFloat32(0, value);
    return word.getUint32(0);
  },
  floatOf(bits: number): number {
    word.setUint32(0, bits);
    return word.getFloat32(0);
  },
  saturated: (value: number, low: number, high: number): number => Math.min(Math.max(Math.trunc(value), low), high),
  roundHalfEven(value: number): number {
    const down = Math.floor(value);
    if (value - down !== 0.5) return Math.round(value);
    return down % 2 === 0 ? down : down + 1;
  },
  countTrailingZeros: (bits: number): number => (bits === 0 ? 32 : 31 - Math.clz32(bits & -bits)),
  countOneBits: (bits: number): number => (bits >>> 0).toString(2).replaceAll("0", "").length,
  /** Of a negative number the highest bit that differs from its sign. */
  firstLeadingBit: (bits: number): number => 31 - Math.clz32(bits < 0 ? ~bits : bits),
  reverseBits: (bits: number): number =>
    Number.parseInt([...(bits >>> 0).toString(2).padStart(32, "0")].reverse().join(""), 2),
  extractBits(isSigned: boolean, bits: number, offset: number, count: number): number {
    const [from, length] = [Math.min(offset, 32), Math.min(count, 32 - Math.min(offset, 32))];
    if (length === 0) return 0;
    const top = bits << (32 - from - length);
    return isSigned ? top >> (32 - length) : top >>> (32 - length);
  },
  insertBits(bits: number, inserted: number, offset: number, count: number): number {
    const [from, length] = [Math.min(offset, 32), Math.min(count, 32 - Math.min(offset, 32))];
    if (length === 0) return bits;
    const mask = length === 32 ? -1 : ((1 << length) - 1) << from;
    return (bits & ~mask) | ((inserted << from) & mask);
  },
  unpack4x8: (isSigned: boolean, bits: number): number[] =>
    [24, 16, 8, 0].map((shift) => (isSigned ? (bits << shift) >> 24 : (bits << shift) >>> 24)),
  pack4x8: (values: readonly number[]): number =>
    values.reduce((bits, value, i) => bits | ((value & 255) << (8 * i)), 0) >>> 0,
  /** Of four bytes each; `bits` is 24 where they are signed. */
  dot4(bits: number, a: number, b: number): number {
    const [x, y] = [a, b].map((value) => runtime.unpack4x8(bits === 24, value));
    const total = x!.reduce((sum, value, i) => sum + value * y![i]!, 0);
    return bits === 24 ? total | 0 : total >>> 0;
  },
};
