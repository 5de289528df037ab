/** Blockwise 8-bit: a 256-entry map per variant, one absmax per block. Block 4096 for data, as upstream; optimizer states use 256. */
import type { Format } from "./format.js";
import { createDynamicMap, createFp8Map, createLinearMap, createNormalMap } from "./maps.js";

const blockSizes = [64, 128, 256, 512, 1024, 2048, 4096];

const record = (name: string, code: Float32Array, source: string): Format => ({
  name,
  bits: 8,
  scales: "block",
  code,
  blockSizes,
  defaultBlockSize: 4096,
  source,
});

const upstream = "bitsandbytes functional.py";

export const int8Blockwise = record(
  "int8-blockwise",
  createDynamicMap(),
  `8-bit optimizers, arXiv 2110.02861; ${upstream}`,
);
export const int8BlockwiseVariants: readonly Format[] = [
  record("int8-blockwise-unsigned", createDynamicMap({ signed: false }), upstream),
  record("int8-blockwise-linear", createLinearMap(), upstream),
  record("int8-blockwise-fp8-e4m3", createFp8Map({ exponentBits: 4, precisionBits: 3 }), upstream),
  record("int8-blockwise-fp8-e5m2", createFp8Map({ exponentBits: 5, precisionBits: 2 }), upstream),
  record("int8-blockwise-normal", createNormalMap(), upstream),
];
