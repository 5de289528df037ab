/** The kernels that encode and decode a format: 4-bit blocks, 8-bit blocks, or int8 rows. */
import { type Backend, createQuantizedTensor, type Float, type Format, type Shape, type Tensor } from "@halfbyte/core";

export type Encoded = Readonly<Record<string, Tensor>>;
export type Decoded = { readonly out: Tensor<Float> };

export interface FormatCodec extends Disposable {
  /** What the kernels are called. */
  readonly encoder: string;
  readonly decoder: string;
  /** Bytes of codes and scales of `size` elements in rows of `k`. */
  storedBytes(size: number, k: number): number;
  encode(x: Tensor<Float>, into?: Encoded): Encoded;
  decode(encoded: Encoded, shape: Shape, dtype: Float, into?: Decoded): Decoded;
}

export function formatCodec(backend: Backend, format: Format): FormatCodec {
  if (format.scales === "row") return rowCodec(backend);
  return format.bits === 4 ? codec4bit(backend, format) : blockwiseCodec(backend, format);
}

const nothing = () => undefined;

function codec4bit({ kernels }: Backend, { name, defaultBlockSize: blockSize }: Format): FormatCodec {
  return {
    encoder: "quantize4bit",
    decoder: "dequantize4bit",
    storedBytes: (size) => Math.ceil(size / 2) + 4 * Math.ceil(size / blockSize),
    encode: (x, into) => ({ ...kernels.quantize4bit({ x, format: name, blockSize }, into) }),
    decode({ codes, absmax }, shape, dtype, into) {
      const scales = { kind: "block", absmax: absmax as Tensor<"float32"> } as const;
      const parts = { format: name, shape, dtype, blockSize, codes: codes as Tensor<"uint8">, scales };
      return kernels.dequantize4bit({ weight: createQuantizedTensor(parts), dtype }, into);
    },
    [Symbol.dispose]: nothing,
  };
}

function blockwiseCodec(backend: Backend, { code: table, defaultBlockSize: blockSize }: Format): FormatCodec {
  const { kernels } = backend;
  const code = backend.tensor("float32", [256], table);
  return {
    encoder: "quantizeBlockwise",
    decoder: "dequantizeBlockwise",
    storedBytes: (size) => size + 4 * Math.ceil(size / blockSize),
    encode: (x, into) => ({ ...kernels.quantizeBlockwise({ x, code, blockSize }, into) }),
    decode({ codes, absmax }, _shape, dtype, into) {
      const args = { codes: codes as Tensor<"uint8">, absmax: absmax as Tensor<"float32">, code, blockSize, dtype };
      return kernels.dequantizeBlockwise(args, into);
    },
    [Symbol.dispose]: () => code.dispose(),
  };
}

function rowCodec({ kernels }: Backend): FormatCodec {
  return {
    encoder: "int8VectorwiseQuant",
    decoder: "int8VectorwiseDequant",
    storedBytes: (size, k) => size + (4 * size) / k,
    encode: (x, into) => ({ ...kernels.int8VectorwiseQuant({ x, threshold: 0 }, into) }),
    decode({ q, rowStats }, _shape, _dtype, into) {
      const args = { q: q as Tensor<"int8">, rowStats: rowStats as Tensor<"float32"> };
      return kernels.int8VectorwiseDequant(args, into as { out: Tensor<"float32"> });
    },
    [Symbol.dispose]: nothing,
  };
}
