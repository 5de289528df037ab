/** The operations this backend has kernels for. Core composes others from them, or says that there is none. */
import type { OpName } from "@halfbyte/core";
import { dequantize4bit, dequantizeBlockwise } from "./dequantize.js";
import { gemm } from "./gemm.js";
import { gemm4bit } from "./gemm-4bit.js";
import { int8LinearMatmul, int8ScaledMm } from "./int8-matmul.js";
import { int8MixedScaledMm } from "./int8-mixed.js";
import { int8VectorwiseDequant, int8VectorwiseQuant } from "./int8-rows.js";
import { int8MmDequant } from "./int8-scale.js";
import type { Operation } from "./operation.js";
import { optimizerUpdate8bitBlockwise } from "./optimizer-8bit.js";
import { optimizerUpdate32bit } from "./optimizer-32bit.js";
import { quantizationError } from "./quantization-error.js";
import { quantize4bit, quantizeBlockwise } from "./quantize.js";

export const operations: { readonly [K in OpName]: Operation<K> } = {
  quantize4bit,
  dequantize4bit,
  quantizeBlockwise,
  dequantizeBlockwise,
  quantizationError,
  gemm4bit,
  gemm,
  int8VectorwiseQuant,
  int8VectorwiseDequant,
  int8LinearMatmul,
  int8MmDequant,
  int8ScaledMm,
  int8MixedScaledMm,
  optimizerUpdate32bit,
  optimizerUpdate8bitBlockwise,
};
