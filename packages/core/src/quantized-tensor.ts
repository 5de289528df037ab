/**
 * A quantized tensor is format + shape + original dtype + block size + codes + scales. Its codes are the canonical bytes of
 * the checkpoint and never change; a kernel that wants another layout keeps a packed copy aside.
 */
import type { Backend } from "./backend.js";
import { getFormat } from "./formats/index.js";
import type { Float, Shape, Tensor } from "./tensor.js";

export type Scales =
  | { readonly kind: "block"; readonly absmax: Tensor<"float32"> }
  | {
      readonly kind: "nested";
      readonly absmax: Tensor<"uint8">;
      readonly nestedAbsmax: Tensor<"float32">;
      readonly nestedCode: Tensor<"float32">;
      readonly nestedBlockSize: number;
      readonly offset: number;
    }
  | { readonly kind: "row"; readonly absmax: Tensor<"float32"> };

export interface QuantizedTensor extends Disposable {
  /** Key of the format registry: nf4, fp4, af4, int8-blockwise, int8-rowwise. */
  readonly format: string;
  readonly shape: Shape;
  readonly dtype: Float;
  /** 0 for scales of kind "row". */
  readonly blockSize: number;
  /** Canonical bytes, flat, equal to the checkpoint's. */
  readonly codes: Tensor<"uint8"> | Tensor<"int8">;
  /** 16 or 256 entries; the stored one when it came from a file. */
  readonly code?: Tensor<"float32">;
  readonly scales: Scales;
  readonly backend: Backend;
  to(backend: Backend): Promise<QuantizedTensor>;
  /** Drops its tensors and every packed copy a backend keeps for it. */
  dispose(): void;
}

export type QuantizedParts = Omit<QuantizedTensor, "backend" | "to" | "dispose" | typeof Symbol.dispose>;

/** Bits per code: the stored table decides, also for a format that nobody registered. */
export function bitsOf({ code, format }: Pick<QuantizedTensor, "code" | "format">): 4 | 8 {
  if (code) return code.size === 256 ? 8 : 4;
  return getFormat(format).bits;
}

/** The tensors a quantized tensor consists of, codes first. */
export function tensorsOf(parts: Pick<QuantizedTensor, "codes" | "code" | "scales">): Tensor[] {
  const { codes, code, scales } = parts;
  const nested = scales.kind === "nested" ? [scales.nestedAbsmax, scales.nestedCode] : [];
  return [codes, scales.absmax, ...nested, ...(code ? [code] : [])];
}

/** Binds parts that live on one backend; the quantized tensor owns them from here on. */
export function createQuantizedTensor(parts: QuantizedParts): QuantizedTensor {
  const dispose = () => {
    for (const tensor of tensorsOf(parts)) tensor.dispose();
  };
  return {
    ...parts,
    backend: parts.codes.backend,
    to: async (backend) => createQuantizedTensor(await moveParts(parts, backend)),
    dispose,
    [Symbol.dispose]: dispose,
  };
}

async function moveParts(parts: QuantizedParts, backend: Backend): Promise<QuantizedParts> {
  const scales = await moveScales(parts.scales, backend);
  const codes = (await parts.codes.to(backend)) as QuantizedTensor["codes"];
  return parts.code ? { ...parts, codes, scales, code: await parts.code.to(backend) } : { ...parts, codes, scales };
}

async function moveScales(scales: Scales, backend: Backend): Promise<Scales> {
  if (scales.kind !== "nested") return { ...scales, absmax: await scales.absmax.to(backend) };
  return {
    ...scales,
    absmax: await scales.absmax.to(backend),
    nestedAbsmax: await scales.nestedAbsmax.to(backend),
    nestedCode: await scales.nestedCode.to(backend),
  };
}
