/** The tensors of a vector file, kept as bytes. */
import { bytesSource, halfbyteError, openSafetensors, type StoredDType } from "@halfbyte/core";
import type { ElementType, Stored } from "../judge/elements.js";

const elementTypes: Partial<Record<StoredDType, ElementType>> = {
  F64: "float64",
  I64: "int64",
  F32: "float32",
  I32: "int32",
  F16: "float16",
  BF16: "bfloat16",
  I8: "int8",
  U8: "uint8",
};

/** Every tensor of a safetensors file; a dtype that vectors do not use is VECTORS_INVALID. */
export async function tensorsIn(bytes: Uint8Array, name: string): Promise<Map<string, Stored>> {
  const file = await openSafetensors(bytesSource(bytes, name));
  const tensors = new Map<string, Stored>();
  for (const entry of file.entries.values()) {
    tensors.set(entry.name, {
      dtype: elementType(entry.dtype, name),
      shape: entry.shape,
      bytes: await file.read(entry.name),
    });
  }
  await file.close();
  return tensors;
}

function elementType(dtype: StoredDType, file: string): ElementType {
  const known = elementTypes[dtype];
  if (known) return known;
  throw halfbyteError("VECTORS_INVALID", `${file} holds a tensor of dtype ${dtype}.`, { details: { file } });
}
