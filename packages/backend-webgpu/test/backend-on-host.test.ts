/** The whole backend over shaders on the host, whose floats round to the other side: what is exact by integers stays so, quantizers first of all. */
import { describeQuantization } from "@halfbyte/conformance";
import type { OpName } from "@halfbyte/core";
import { webgpu } from "../src/index.js";
import { roundsOtherwise } from "./wgsl/float-arithmetic.js";
import { hostGpu } from "./wgsl/host-gpu.js";

/** Each passes the backend's self-test, and those that quantize and decode in blocks the specification too. */
const operations: readonly OpName[] = [
  "quantize4bit",
  "dequantize4bit",
  "quantizeBlockwise",
  "dequantizeBlockwise",
  "quantizationError",
  "int8VectorwiseQuant",
  "int8VectorwiseDequant",
  "optimizerUpdate32bit",
  "optimizerUpdate8bitBlockwise",
];

describeQuantization(webgpu({ gpu: hostGpu(roundsOtherwise), tier: "t0", operations }));
