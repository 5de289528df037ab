/** Element types: their widths, their arrays, and views of raw bytes as arrays. */
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./float16.js";
import type { ArrayOf, DType, Float } from "./tensor.js";

const arrays = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int32: Int32Array,
} as const;

export const dtypes = Object.keys(arrays) as readonly DType[];
export const floatDtypes = ["float32", "float16", "bfloat16"] as const satisfies readonly Float[];

export const isDType = (value: unknown): value is DType => typeof value === "string" && Object.hasOwn(arrays, value);
export const isFloat = (dtype: DType): dtype is Float => (floatDtypes as readonly DType[]).includes(dtype);

/** Bytes per element. */
export const byteWidth = (dtype: DType): number => arrays[dtype].BYTES_PER_ELEMENT;

/** An array of `length` zeros. */
export function newArray<D extends DType>(dtype: D, length: number): ArrayOf[D] {
  return new arrays[dtype](length) as ArrayOf[D];
}

/** Whether `data` is the array type of `dtype` (Uint16Array stands for both 16-bit floats). */
export const isArrayOf = (dtype: DType, data: unknown): boolean => data instanceof arrays[dtype];

/** The raw bytes of any array, without a copy. */
export const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Little-endian bytes seen as an array of `dtype`; copies only when the bytes are not aligned. */
export function viewAs<D extends DType>(dtype: D, bytes: Uint8Array): ArrayOf[D] {
  const width = byteWidth(dtype);
  // Not bytes.slice(): on a Node Buffer that is a view.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new arrays[dtype](aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / width) as ArrayOf[D];
}

/** Widens `data[begin, end)` into `out`, exactly. */
export function widen(dtype: Float, data: ArrayOf[Float], begin: number, end: number, out: Float32Array): void {
  if (dtype === "float32") out.set((data as Float32Array).subarray(begin, end));
  else if (dtype === "float16") float16ToFloat32(data as Uint16Array, begin, end, out);
  else bfloat16ToFloat32(data as Uint16Array, begin, end, out);
}

/** Rounds `values[0, count)` to `dtype`, to nearest even, and stores them from `out[offset]` on. */
export function narrow(dtype: Float, values: Float32Array, count: number, out: ArrayOf[Float], offset: number): void {
  if (dtype === "float32") (out as Float32Array).set(values.subarray(0, count), offset);
  else if (dtype === "float16") float32ToFloat16(values, count, out as Uint16Array, offset);
  else float32ToBfloat16(values, count, out as Uint16Array, offset);
}

/** A widened copy. */
export function toFloat32(dtype: Float, data: ArrayOf[Float]): Float32Array {
  const out = new Float32Array(data.length);
  widen(dtype, data, 0, data.length, out);
  return out;
}

/** A copy rounded to `dtype`, to nearest even. */
export function fromFloat32<D extends Float>(dtype: D, values: Float32Array): ArrayOf[D] {
  const out = newArray(dtype, values.length);
  narrow(dtype, values, values.length, out, 0);
  return out;
}

/** 2^-24, 2^-11, 2^-8: half the distance from 1 to the next number of the dtype. */
export const unitRoundoff = (dtype: Float): number =>
  ({ float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 })[dtype];
