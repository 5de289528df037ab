/** A quantized weight as host arrays: what a checkpoint stores, between its file and a backend. */
import type { Backend } from "../backend.js";
import { getFormat } from "../formats/index.js";
import { createQuantizedTensor, type QuantizedTensor } from "../quantized-tensor.js";
import { type Decode, decodeBlockwise, decoderOf } from "../reference/dequantize.js";
import type { Float, Tensor } from "../tensor.js";

export type HostScales =
  | { readonly kind: "block" | "row"; readonly absmax: Float32Array }
  | {
      readonly kind: "nested";
      readonly absmax: Uint8Array;
      readonly nestedAbsmax: Float32Array;
      readonly nestedCode: Float32Array;
      readonly nestedBlockSize: number;
      readonly offset: number;
    };

export interface HostWeight {
  readonly format: string;
  readonly shape: readonly number[];
  readonly dtype: Float;
  /** 0 for rows. */
  readonly blockSize: number;
  readonly codes: Uint8Array | Int8Array;
  readonly code: Float32Array;
  readonly scales: HostScales;
}

/** Reads every part of a quantized tensor. */
export async function readWeight(weight: QuantizedTensor, signal?: AbortSignal): Promise<HostWeight> {
  const options = signal ? { signal } : {};
  const { format, shape, dtype, blockSize, codes, code, scales } = weight;
  const parts = { format, shape, dtype, blockSize, codes: await codes.read(options) };
  const table = code ? await code.read(options) : getFormat(format).code;
  if (scales.kind !== "nested")
    return { ...parts, code: table, scales: { kind: scales.kind, absmax: await scales.absmax.read(options) } };
  const nested = {
    kind: "nested",
    absmax: await scales.absmax.read(options),
    nestedAbsmax: await scales.nestedAbsmax.read(options),
    nestedCode: await scales.nestedCode.read(options),
    nestedBlockSize: scales.nestedBlockSize,
    offset: scales.offset,
  } as const;
  return { ...parts, code: table, scales: nested };
}

/** Uploads a weight; the stored codebook comes along. */
export function uploadWeight(backend: Backend, host: HostWeight): QuantizedTensor {
  const { format, shape, dtype, blockSize } = host;
  const parts = {
    format,
    shape,
    dtype,
    blockSize,
    codes: uploadCodes(backend, host),
    scales: uploadScales(backend, host.scales),
  };
  return createQuantizedTensor(
    blockSize === 0 ? parts : { ...parts, code: backend.tensor("float32", [host.code.length], host.code) },
  );
}

function uploadCodes(backend: Backend, { codes, shape }: HostWeight): Tensor<"uint8"> | Tensor<"int8"> {
  return codes instanceof Int8Array
    ? backend.tensor("int8", shape, codes)
    : backend.tensor("uint8", [codes.length], codes);
}

function uploadScales(backend: Backend, scales: HostScales): QuantizedTensor["scales"] {
  if (scales.kind !== "nested")
    return { kind: scales.kind, absmax: backend.tensor("float32", [scales.absmax.length], scales.absmax) };
  return {
    kind: "nested",
    absmax: backend.tensor("uint8", [scales.absmax.length], scales.absmax),
    nestedAbsmax: backend.tensor("float32", [scales.nestedAbsmax.length], scales.nestedAbsmax),
    nestedCode: backend.tensor("float32", [scales.nestedCode.length], scales.nestedCode),
    nestedBlockSize: scales.nestedBlockSize,
    offset: scales.offset,
  };
}

/** A function that decodes flat elements [begin, end) to f32. */
export const weightDecoder = (host: HostWeight): Decode => decoderOf(host, plainAbsmax(host.scales));

/** f32 scales, nested ones decoded. */
function plainAbsmax(scales: HostScales): Float32Array {
  if (scales.kind !== "nested") return scales.absmax;
  const { absmax: codes, nestedAbsmax, nestedCode, offset } = scales;
  const absmax = new Float32Array(codes.length);
  decodeBlockwise(codes, nestedAbsmax, nestedCode, scales.nestedBlockSize, 0, codes.length, absmax, offset);
  return absmax;
}

/** Bits per weight of what is stored, scales included. */
export function storedBitsPerWeight({ codes, scales, shape }: HostWeight): number {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const side = scales.kind === "nested" ? scales.nestedAbsmax.byteLength : 0;
  return size === 0 ? 0 : (8 * (codes.byteLength + scales.absmax.byteLength + side)) / size;
}
