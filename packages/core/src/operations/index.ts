/** Every operation's plan, by name. */
import type { OpName } from "../kernels.js";
import { gemm, gemm4bit } from "./gemm.js";
import {
  int8LinearMatmul,
  int8MixedScaledMm,
  int8MmDequant,
  int8ScaledMm,
  int8VectorwiseDequant,
  int8VectorwiseQuant,
} from "./int8.js";
import type { Operation } from "./operation.js";
import { optimizerUpdate8bitBlockwise, optimizerUpdate32bit } from "./optimizer.js";
import { quantizationError } from "./quantization-error.js";
import { dequantize4bit, dequantizeBlockwise, quantize4bit, quantizeBlockwise } from "./quantize.js";

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
