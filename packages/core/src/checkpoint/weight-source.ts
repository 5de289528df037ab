/**
 * The original values of one weight, in pieces and in the order in which they are quantized: as stored, or with the two
 * dimensions exchanged. A piece is never larger than a few megabytes, except for a transposed weight, which must be whole.
 */
import { narrow, newArray, viewAs, widen } from "../dtype.js";
import type { ArrayOf, Float } from "../tensor.js";
import { piecesOf } from "./open-checkpoint.js";
import type { SafetensorsFile, TensorEntry } from "./safetensors.js";
import type { StoredDType } from "./stored-dtype.js";

export interface WeightSource {
  readonly dtype: Float;
  /** [outFeatures, inFeatures]. */
  readonly shape: readonly number[];
  pieces(signal?: AbortSignal): AsyncGenerator<ArrayOf[Float]>;
  /** Where the file has the element with this flat index. */
  storedIndex(index: number): number;
}

const floats: Readonly<Partial<Record<StoredDType, Float>>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

export function weightSource(file: SafetensorsFile, entry: TensorEntry, transpose: boolean): WeightSource {
  const dtype = floats[entry.dtype]!;
  const stored = async function* (signal?: AbortSignal) {
    for await (const piece of piecesOf(file, entry.name, signal)) yield viewAs(dtype, piece);
  };
  if (!transpose) return { dtype, shape: entry.shape, pieces: stored, storedIndex: (index) => index };
  const [rows, columns] = entry.shape as readonly [number, number];
  const turned = async function* (signal?: AbortSignal) {
    yield transposed(viewAs(dtype, await file.read(entry.name, signal ? { signal } : {})), rows, columns, dtype);
  };
  const storedIndex = (index: number): number => (index % rows) * columns + Math.floor(index / rows);
  return { dtype, shape: [columns, rows], pieces: turned, storedIndex };
}

/** [rows, columns] to [columns, rows]. */
export function transposed<D extends Float>(values: ArrayOf[D], rows: number, columns: number, dtype: D): ArrayOf[D] {
  const out = newArray(dtype, values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!;
  return out;
}

/** A piece rounded to another dtype, to nearest even. */
export function converted(piece: ArrayOf[Float], from: Float, to: Float): ArrayOf[Float] {
  if (from === to) return piece;
  const wide = new Float32Array(piece.length);
  widen(from, piece, 0, piece.length, wide);
  const out = newArray(to, piece.length);
  narrow(to, wide, piece.length, out, 0);
  return out;
}
