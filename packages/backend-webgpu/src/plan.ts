/**
 * What tensors will take on a WebGPU device, against what it allows, before anything is allocated: bytes, buffers, and what one binding sees. It is
 * arithmetic alone. How much memory a GPU has, WebGPU does not tell: who knows it passes `memoryBytes`.
 */
import {
  type Backend,
  blockCount,
  blockFormat,
  byteWidth,
  codeBytes,
  type DType,
  type ErrorCode,
  type Float,
  getFormat,
  halfbyteError,
  isDType,
  nestedBlockSize,
  type Reason,
  type Shape,
  sizeOf,
} from "@halfbyte/core";
import { sizeClass, wholeWords } from "./buffers.js";
import { webgpuDeviceOf } from "./variants-of.js";

/** A tensor as it will be made by `backend.tensor()` or as an operation's result. */
export interface TensorToPlan {
  readonly name?: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A weight as `quantize()` makes it or a checkpoint holds it. */
export interface WeightToPlan {
  readonly name?: string;
  readonly format: string;
  readonly shape: Shape;
  /** Default: the format's own. */
  readonly blockSize?: number;
  readonly nested?: boolean;
  /** When it will be decoded as a whole: into this, beside its codes. */
  readonly dtype?: Float;
}

/** One array of a tensor. */
export interface PlannedBytes {
  readonly role: "data" | "codes" | "absmax" | "nestedAbsmax" | "nestedCode" | "decoded";
  readonly dtype: DType;
  readonly byteLength: number;
  /** Buffers it lies in, and the bytes these take: they come in sizes that fit again when they are freed. */
  readonly pieces: number;
  readonly allocatedBytes: number;
  readonly largestBuffer: number;
  /** Of these a kernel sees so many at once; what is more it works on in slices. */
  readonly boundBytes: number;
}

interface Verdict {
  readonly byteLength: number;
  readonly allocatedBytes: number;
  readonly pieces: number;
  readonly largestBuffer: number;
  readonly fits: boolean;
  /** Why it does not fit, with the numbers. */
  readonly reason: Reason | undefined;
}

export interface PlannedTensor extends Verdict {
  readonly name: string;
  readonly parts: readonly PlannedBytes[];
}

export interface PlanLimits {
  /** Of one buffer. */
  readonly maxBufferSize: number;
  /** Of what a kernel sees of one tensor. */
  readonly maxStorageBufferBindingSize: number;
  /** Of a tensor in one buffer: a power of two within both. */
  readonly pieceBytes: number;
  /** Of one tensor in all its buffers. */
  readonly maxTensorBytes: number;
  /** What the caller said of the GPU's memory. */
  readonly memoryBytes: number | undefined;
}

/** Everything together; the reason is the first tensor's that does not fit, or that all of them do not. */
export interface Plan extends Verdict {
  readonly tensors: readonly PlannedTensor[];
  readonly limits: PlanLimits;
}

export interface PlanOptions {
  /** Bytes of the GPU's memory that tensors may take, where they are known. */
  readonly memoryBytes?: number;
}

/** Throws for what is no tensor or weight at all: INVALID_SHAPE, DTYPE_MISMATCH, UNKNOWN_FORMAT, UNSUPPORTED_BLOCK_SIZE, INVALID_ARGUMENT. */
export function plan(
  backend: Backend,
  wanted: readonly (TensorToPlan | WeightToPlan)[],
  { memoryBytes }: PlanOptions = {},
): Plan {
  const limits = limitsOf(backend, memoryBytes);
  const tensors = wanted.map((one, i) => plannedTensor(one, one.name ?? `tensor ${i}`, limits));
  const sum = sumOf(tensors);
  const reason = tensors.find((one) => one.reason)?.reason ?? tooMuch(sum.allocatedBytes, tensors.length, limits);
  return { ...sum, tensors, limits, fits: reason === undefined, reason };
}

function limitsOf(backend: Backend, memoryBytes: number | undefined): PlanLimits {
  const device = webgpuDeviceOf(backend);
  if (!device)
    throw halfbyteError("WRONG_BACKEND", `plan() is about WebGPU devices; the backend is "${backend.name}".`, {
      details: { found: backend.name, expected: "webgpu" },
      remedy: "Open the backend with webgpu().",
    });
  if (memoryBytes !== undefined && !(memoryBytes >= 0))
    throw halfbyteError("INVALID_ARGUMENT", `memoryBytes is ${memoryBytes}; it is a number of bytes.`);
  const { maxBufferSize, maxStorageBufferBindingSize } = device.bufferLimits;
  const { pieceBytes } = device.traits;
  const { maxTensorBytes } = device.limits;
  return { maxBufferSize, maxStorageBufferBindingSize, pieceBytes, maxTensorBytes, memoryBytes };
}

function plannedTensor(one: TensorToPlan | WeightToPlan, name: string, limits: PlanLimits): PlannedTensor {
  const parts = arraysOf(one, name).map(([role, dtype, size]) => plannedBytes(role, dtype, size, limits));
  const large = parts.find(({ byteLength }) => byteLength > limits.maxTensorBytes);
  const reason = large && tooLarge(name, large, limits);
  return { name, parts, ...sumOf(parts), fits: reason === undefined, reason };
}

type Arrays = readonly (readonly [role: PlannedBytes["role"], dtype: DType, size: number])[];

function arraysOf(one: TensorToPlan | WeightToPlan, name: string): Arrays {
  const size = sizeOf(one.shape);
  if (!(isDType(one.dtype) || ("format" in one && one.dtype === undefined)))
    throw halfbyteError("DTYPE_MISMATCH", `The dtype of ${name} is ${String(one.dtype)}.`, {
      details: { tensor: name, found: String(one.dtype) },
    });
  if (!("format" in one)) return [["data", one.dtype, size]];
  const decoded: Arrays = one.dtype ? [["decoded", one.dtype, size]] : [];
  return [...storedArrays(one, name, size), ...decoded];
}

function storedArrays(
  { format: key, shape, blockSize, nested = false }: WeightToPlan,
  name: string,
  size: number,
): Arrays {
  const format = getFormat(key);
  if (format.scales === "row") return rowArrays(shape, name, size, nested || blockSize !== undefined);
  const block = blockSize ?? format.defaultBlockSize;
  const blocks = blockCount(size, block);
  blockFormat(key, format.bits, block);
  const codes = ["codes", "uint8", codeBytes(format, size)] as const;
  if (!nested) return [codes, ["absmax", "float32", blocks]];
  return [
    codes,
    ["absmax", "uint8", blocks],
    ["nestedAbsmax", "float32", blockCount(blocks, nestedBlockSize)],
    ["nestedCode", "float32", 256],
  ];
}

function rowArrays(shape: Shape, name: string, size: number, hasBlocks: boolean): Arrays {
  const wrong = (why: string) => halfbyteError("INVALID_ARGUMENT", `${name} ${why}.`, { details: { tensor: name } });
  if (hasBlocks) throw wrong("has a scale for each row: there are no blocks, and no nested scales");
  if (shape.length !== 2) throw wrong(`has ${shape.length} dimensions; a weight with a scale for each row has 2`);
  return [
    ["codes", "int8", size],
    ["absmax", "float32", shape[0]!],
  ];
}

function plannedBytes(
  role: PlannedBytes["role"],
  dtype: DType,
  size: number,
  { pieceBytes, maxBufferSize }: PlanLimits,
): PlannedBytes {
  const byteLength = size * byteWidth(dtype);
  const pieces = Math.max(1, Math.ceil(byteLength / pieceBytes));
  const allocated = (bytes: number) => sizeClass(wholeWords(bytes), maxBufferSize);
  const [full, last] = [allocated(pieceBytes), allocated(byteLength - (pieces - 1) * pieceBytes)];
  return {
    role,
    dtype,
    byteLength,
    pieces,
    allocatedBytes: (pieces - 1) * full + last,
    largestBuffer: pieces > 1 ? full : last,
    boundBytes: Math.min(pieceBytes, wholeWords(byteLength)),
  };
}

type Sum = Pick<Verdict, "byteLength" | "allocatedBytes" | "pieces" | "largestBuffer">;

const sumOf = (parts: readonly Sum[]): Sum => ({
  byteLength: parts.reduce((sum, part) => sum + part.byteLength, 0),
  allocatedBytes: parts.reduce((sum, part) => sum + part.allocatedBytes, 0),
  pieces: parts.reduce((sum, part) => sum + part.pieces, 0),
  largestBuffer: parts.reduce((most, part) => Math.max(most, part.largestBuffer), 0),
});

function tooLarge(
  name: string,
  { role, byteLength }: PlannedBytes,
  { maxTensorBytes, pieceBytes }: PlanLimits,
): Reason {
  return reasonOf(
    "OUT_OF_MEMORY",
    `The ${role} of ${name} take ${byteLength} bytes; this device allows ${maxTensorBytes} for one tensor, in buffers of ${pieceBytes}.`,
    "Split it by rows into tensors that fit.",
  );
}

function tooMuch(allocated: number, count: number, { memoryBytes }: PlanLimits): Reason | undefined {
  if (memoryBytes === undefined || allocated <= memoryBytes) return undefined;
  return reasonOf(
    "OUT_OF_MEMORY",
    `${count === 1 ? "The tensor takes" : `${count} tensors together take`} ${allocated} bytes; the GPU's memory is said to be ${memoryBytes}, which is ${allocated - memoryBytes} less.`,
    "Keep fewer tensors on the GPU at a time, use a format with fewer bits or nested scales, or do without the decoded weights.",
  );
}

function reasonOf(code: ErrorCode, message: string, remedy: string): Reason {
  return { code, message, remedy };
}
