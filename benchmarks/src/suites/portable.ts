/** The suites that need nothing but a backend: they run in Node and in a page. */
import type { Suite } from "../case.js";
import type { SuiteName } from "../spec.js";
import { prepareDecode } from "./decode.js";
import { prepareDequantize } from "./dequantize.js";
import { prepareGemm4bit } from "./gemm-4bit.js";
import { prepareInt8 } from "./int8.js";
import { prepareOptimizer } from "./optimizer.js";
import { prepareQuantize } from "./quantize.js";

export const portableSuites = {
  quantize: { prepare: prepareQuantize },
  dequantize: { prepare: prepareDequantize },
  "gemm-4bit": { prepare: prepareGemm4bit },
  int8: { prepare: prepareInt8 },
  optimizer: { prepare: prepareOptimizer },
  decode: { prepare: prepareDecode },
} satisfies Partial<Record<SuiteName, Suite>>;
