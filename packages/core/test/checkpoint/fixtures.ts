/** Checkpoints built in code. Nothing here uses the code under test, except to lay out a container. */
import { readFileSync } from "node:fs";
import { bytesSource } from "../../src/checkpoint/source.js";
import { bytesOf, fromFloat32 } from "../../src/dtype.js";
import {
  createRandom,
  type Float,
  getFormat,
  memoryRepository,
  openSafetensors,
  type Repository,
  type StoredDType,
  writeSafetensors,
} from "../../src/index.js";

export interface Stored {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
export const identical = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
export const jsonBytes = (value: unknown): Uint8Array => utf8(JSON.stringify(value, null, 2));
export const countOf = (shape: readonly number[]): number =>
  shape.reduce((product, dimension) => product * dimension, 1);

const storedNames = { float32: "F32", float16: "F16", bfloat16: "BF16" } as const;

export const floats = (
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: Float = "float32",
): Stored => ({
  name,
  dtype: storedNames[dtype],
  shape,
  bytes: bytesOf(fromFloat32(dtype, values)),
});

export function normals(count: number, seed: number, scale = 0.1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => scale * random.normal());
}

/** A tensor of normal values. */
export const weight = (name: string, shape: readonly number[], dtype: Float = "float32", seed = name.length): Stored =>
  floats(name, shape, normals(countOf(shape), seed), dtype);

export const raw = (name: string, dtype: StoredDType, shape: readonly number[], bytes: Uint8Array): Stored => ({
  name,
  dtype,
  shape,
  bytes,
});

/** Bytes 0, 1, 2 … with a stride. */
export const counting = (length: number, stride = 7): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * stride + 3) % 256);

/** Typed out in one place only, which numeric/formats.test.ts holds to the hash of the specification. */
export const nf4Code = getFormat("nf4").code;

export interface Layer4bit {
  readonly name: string;
  readonly shape: readonly number[];
  readonly quantType?: string;
  readonly code?: Float32Array;
  readonly blockSize?: number;
  readonly dtype?: Float;
  readonly storage?: "U8" | "BF16" | "F16" | "F32";
  readonly nestedCode?: Float32Array;
}

const storageBytes = { U8: 1, BF16: 2, F16: 2, F32: 4 } as const;

/** The tensors of a Linear4bit as Python writes them, with codes and scales of no particular origin. */
export function layer4bit({
  name,
  shape,
  quantType = "nf4",
  code = nf4Code,
  blockSize = 64,
  dtype = "float32",
  storage = "U8",
  nestedCode,
}: Layer4bit): Stored[] {
  const packed = Math.ceil(countOf(shape) / 2);
  const blocks = Math.ceil(countOf(shape) / blockSize);
  const plain = { quant_type: quantType, blocksize: blockSize, dtype, shape };
  const state = nestedCode ? { ...plain, nested_blocksize: 256, nested_dtype: "float32", nested_offset: 0.5 } : plain;
  const outer = Math.ceil(blocks / 256);
  const nested = nestedCode && [
    raw(`${name}.absmax`, "U8", [blocks], counting(blocks, 5)),
    floats(`${name}.nested_absmax`, [outer], normals(outer, 2).map(Math.abs)),
    floats(`${name}.nested_quant_map`, [256], nestedCode),
  ];
  return [
    raw(name, storage, [packed / storageBytes[storage], 1], counting(packed)),
    ...(nested ?? [floats(`${name}.absmax`, [blocks], normals(blocks, 2).map(Math.abs))]),
    floats(`${name}.quant_map`, [16], code),
    stateTensor(name, quantType, JSON.stringify(state)),
  ];
}

export function stateTensor(name: string, quantType: string, state: string | Uint8Array): Stored {
  const bytes = typeof state === "string" ? utf8(state) : state;
  return raw(`${name}.quant_state.bitsandbytes__${quantType}`, "U8", [bytes.length], bytes);
}

/** The tensors of a Linear8bitLt. */
export function layer8bit(module: string, [rows, columns]: readonly [number, number], format?: Uint8Array): Stored[] {
  const scb = floats(`${module}.SCB`, [rows], normals(rows, 3).map(Math.abs));
  const codes = raw(`${module}.weight`, "I8", [rows, columns], counting(rows * columns));
  const formats = format
    ? [raw(`${module}.weight_format`, "U8", format.length === 1 ? [] : [format.length], format)]
    : [];
  return [codes, scb, ...formats];
}

export const file = (tensors: readonly Stored[]): Uint8Array => writeSafetensors(tensors, { format: "pt" });

export const repositoryOf = (tensors: readonly Stored[], others: Readonly<Record<string, Uint8Array>> = {}) =>
  memoryRepository({ "model.safetensors": file(tensors), ...others }, "model");

/** Every tensor of a file, in the order of its data. */
export async function tensorsOf(bytes: Uint8Array): Promise<Map<string, Stored>> {
  const opened = await openSafetensors(bytesSource(bytes, "written"));
  const tensors = new Map<string, Stored>();
  for (const { name, dtype, shape } of opened.entries.values())
    tensors.set(name, { name, dtype, shape, bytes: (await opened.read(name)).slice() });
  return tensors;
}

const goldenFolder = new URL("../../../../golden/checkpoints/", import.meta.url);
export const goldenNames = ["tiny_nf4_dq_bf16", "tiny_fp4_fp16", "tiny_int8_bf16", "tiny_int8_fp16"] as const;

/** What Python wrote, the tensors it wrote it from, and its config.json. */
export async function golden(name: (typeof goldenNames)[number]) {
  const read = (suffix: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}${suffix}`, goldenFolder)));
  const io = await tensorsOf(read("_io.safetensors"));
  const configText = textOf(read(".config.json"));
  const withPrefix = (prefix: string) =>
    [...io.values()].flatMap((tensor) =>
      tensor.name.startsWith(prefix) ? [{ ...tensor, name: tensor.name.slice(prefix.length) }] : [],
    );
  return {
    quantized: read(".safetensors"),
    originals: withPrefix("original."),
    decoded: withPrefix("dequant."),
    configText,
  };
}

/** The code of what an operation throws, and the error itself. */
export async function refusal(
  operation: () => Promise<unknown>,
): Promise<Error & { code?: string; remedy?: string; details?: Readonly<Record<string, unknown>> }> {
  try {
    await operation();
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** A repository that counts the sources which are open. */
export function counted(repository: Repository): Repository & { unclosed(): number } {
  const open = new Set<object>();
  return {
    ...repository,
    unclosed: () => open.size,
    async open(name, signal) {
      const source = await repository.open(name, signal);
      open.add(source);
      return { ...source, close: async () => void open.delete(source) };
    },
  };
}
