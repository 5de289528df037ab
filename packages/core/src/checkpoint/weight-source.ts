/**
 * The original values of one weight, in pieces and in the order in which they are quantized: as stored, or with the two
 * dimensions exchanged. A piece is never larger than a few megabytes, except for a transposed weight, which must be whole.
 */
import { narrow, newArray, viewAs, widen } from "../dtype.js";
import { turn } from "../next-turn.js";
import type { ArrayOf, Float } from "../tensor.js";
import { piecesOf } from "./open-checkpoint.js";
import type { SafetensorsFile, TensorEntry } from "./safetensors.js";
import type { StoredDType } from "./stored-dtype.js";

export interface WeightSource {
  readonly dtype: Float;
  /** [outFeatures, inFeatures]. */
  readonly shape: readonly number[];
  /** With `into`, a piece holds until the next one is asked for. */
  pieces(signal?: AbortSignal, into?: Uint8Array): AsyncGenerator<ArrayOf[Float]>;
  /** Where the file has the element with this flat index. */
  storedIndex(index: number): number;
}

const floats: Readonly<Partial<Record<StoredDType, Float>>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

export function weightSource(file: SafetensorsFile, entry: TensorEntry, transpose: boolean): WeightSource {
  const dtype = floats[entry.dtype]!;
  const stored = async function* (signal?: AbortSignal, into?: Uint8Array) {
    for await (const piece of piecesOf(file, entry.name, signal, into)) yield viewAs(dtype, piece);
  };
  if (!transpose) return { dtype, shape: entry.shape, pieces: stored, storedIndex: (index) => index };
  const [rows, columns] = entry.shape as readonly [number, number];
  const turned = async function* (signal?: AbortSignal) {
    yield await transposed(viewAs(dtype, await file.read(entry.name, signal ? { signal } : {})), rows, columns, dtype);
  };
  const storedIndex = (index: number): number => (index % rows) * columns + Math.floor(index / rows);
  return { dtype, shape: [columns, rows], pieces: turned, storedIndex };
}

/** Elements handled before the event loop gets its turn: a millisecond or so. */
export const elementsPerTurn = 1 << 16;

/** Calls back with ranges that cover [0, size), a turn of the event loop between them. */
export async function inSlices(
  size: number,
  run: (begin: number, end: number) => void,
  sliceSize = elementsPerTurn,
): Promise<void> {
  for (let begin = 0; begin < size; begin += sliceSize) {
    if (begin > 0) await turn();
    run(begin, Math.min(size, begin + sliceSize));
  }
}

/** [rows, columns] to [columns, rows]. */
export async function transposed<D extends Float>(
  values: ArrayOf[D],
  rows: number,
  columns: number,
  dtype: D,
): Promise<ArrayOf[D]> {
  const out = newArray(dtype, values.length);
  const move = (begin: number, end: number) => {
    for (let r = begin; r < end; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!;
  };
  await inSlices(rows, move, Math.max(1, Math.floor(elementsPerTurn / columns)));
  return out;
}

/** A piece rounded to another dtype, to nearest even. */
export async function converted(piece: ArrayOf[Float], from: Float, to: Float): Promise<ArrayOf[Float]> {
  if (from === to) return piece;
  const out = newArray(to, piece.length);
  const wide = new Float32Array(Math.min(piece.length, elementsPerTurn));
  await inSlices(piece.length, (begin, end) => {
    widen(from, piece, begin, end, wide);
    narrow(to, wide, end - begin, out, begin);
  });
  return out;
}
