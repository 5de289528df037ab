/** Numbers as bytes with a dtype: what vectors hold and what `read()` gives, in one form that keeps every bit. */
import type { ArrayOf, DType, Float, Shape, Tensor } from "@halfbyte/core";

/** The dtypes of tensors, and two that only vectors have. */
export type ElementType = DType | "float64" | "int64";

export interface Elements {
  readonly dtype: ElementType;
  readonly bytes: Uint8Array;
}

/** Elements of a vector file, with their shape. */
export interface Stored extends Elements {
  readonly shape: Shape;
}

const widths: Readonly<Record<ElementType, number>> = {
  float64: 8,
  int64: 8,
  float32: 4,
  int32: 4,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
};

export const widthOf = (dtype: ElementType): number => widths[dtype];
export const countOf = ({ dtype, bytes }: Elements): number => bytes.byteLength / widths[dtype];

export function elementsOf(dtype: ElementType, data: ArrayBufferView): Elements {
  return { dtype, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

export const float32 = (values: Float32Array): Elements => elementsOf("float32", values);

/** Reads a tensor. */
export async function readElements(tensor: Tensor): Promise<Elements> {
  return elementsOf(tensor.dtype, await tensor.read());
}

type Reader = (view: DataView, offset: number) => number;
const readers: Readonly<Record<ElementType, Reader>> = {
  float64: (view, offset) => view.getFloat64(offset, true),
  int64: (view, offset) => Number(view.getBigInt64(offset, true)),
  float32: (view, offset) => view.getFloat32(offset, true),
  int32: (view, offset) => view.getInt32(offset, true),
  float16: (view, offset) => float16Value(view.getUint16(offset, true)),
  bfloat16: (view, offset) => bfloat16Value(view.getUint16(offset, true)),
  int8: (view, offset) => view.getInt8(offset),
  uint8: (view, offset) => view.getUint8(offset),
};

const scratch = new DataView(new ArrayBuffer(4));
function bfloat16Value(bits: number): number {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}

/** By the definition of the format, independent of the conversion in core. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Every element as a float64, exactly. */
export function numbersOf({ dtype, bytes }: Elements): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = widths[dtype];
  return Float64Array.from({ length: bytes.byteLength / width }, (_, i) => readers[dtype](view, i * width));
}

/** The bits of element `index` as an unsigned integer. */
export function bitsAt({ dtype, bytes }: Elements, index: number): bigint {
  const width = widths[dtype];
  let bits = 0n;
  for (let i = width - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(bytes[index * width + i]!);
  return bits;
}

/** The array type of a tensor dtype over a copy of the bytes. */
export function arrayOf<D extends DType>(dtype: D, bytes: Uint8Array): ArrayOf[D] {
  const { buffer } = bytes.slice();
  const arrays = {
    float32: () => new Float32Array(buffer),
    float16: () => new Uint16Array(buffer),
    bfloat16: () => new Uint16Array(buffer),
    int8: () => new Int8Array(buffer),
    uint8: () => new Uint8Array(buffer),
    int32: () => new Int32Array(buffer),
  };
  return arrays[dtype]() as ArrayOf[D];
}

export const isFloatType = (dtype: ElementType): dtype is Float =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

export const isTensorType = (dtype: ElementType): dtype is DType => dtype !== "float64" && dtype !== "int64";
