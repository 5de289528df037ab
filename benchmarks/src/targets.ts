/** What was promised, as data: the only place where a target is written down. */
import type { Float } from "@halfbyte/core";
import type { Dimensions, Spec, SuiteName, Temperature } from "./spec.js";

/** How a figure comes out of a row, and of others measured beside it. */
export type Measure =
  | { readonly kind: "share of floor" }
  | { readonly kind: "multiple of the f32 peak" }
  | { readonly kind: "microseconds" }
  | { readonly kind: "microseconds above the floor" }
  | { readonly kind: "giga-elements per second" }
  | { readonly kind: "relative error before the output is rounded" }
  | { readonly kind: "times as fast as"; readonly peer: string }
  | { readonly kind: "times less error than"; readonly peer: string }
  /** Against the same case on one thread. */
  | { readonly kind: "speed-up by threads" }
  /** Share of the floor, by that of the same case at 4096 × 4096. */
  | { readonly kind: "share of the floor that 4096² reaches" }
  | { readonly kind: "times the floor's time" };

export interface Goal {
  readonly measure: Measure;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
}

export interface Target {
  readonly what: string;
  readonly cases: readonly Spec[];
  readonly goals: readonly Goal[];
}

const atLeast = (bound: number, measure: Measure): Goal => ({ measure, bound: { atLeast: bound } });
const atMost = (bound: number, measure: Measure): Goal => ({ measure, bound: { atMost: bound } });
const shareOfFloor: Measure = { kind: "share of floor" };
const microseconds: Measure = { kind: "microseconds" };
const timesAsFastAs = (peer: string): Measure => ({ kind: "times as fast as", peer });

const bnb4 = "onnxruntime-node MatMulBnb4";
const nBits = "onnxruntime-node MatMulNBits level 4";
const webBnb4 = "onnxruntime-web MatMulBnb4";
const dense = "onnxruntime-node MatMul";

const sixteenBits: readonly Float[] = ["bfloat16", "float16"];
const square: Dimensions = { m: 1, n: 4096, k: 4096 };
const none: Dimensions = { m: 0, n: 0, k: 0 };

const base: Spec = {
  suite: "gemm-4bit",
  case: "gemm4bit",
  backend: "cpu",
  threads: 1,
  format: "nf4",
  dtype: "float32",
  shape: square,
  temperature: "warm",
  accuracy: null,
};

const spec = (changes: Partial<Spec>): Spec => ({ ...base, ...changes });
const gemv = (dtype: Float, temperature: Temperature, changes: Partial<Spec> = {}) =>
  spec({ dtype, temperature, ...changes });
const gemms = (dtype: Float) => [16, 128, 512].map((m) => spec({ dtype, shape: { ...square, m } }));
const other = (suite: SuiteName, changes: Partial<Spec> = {}) => spec({ suite, case: suite, ...changes });

/** Other shapes of real models, and one whose rows are no whole number of blocks. */
const otherShapes: readonly Dimensions[] = [
  { m: 1, n: 896, k: 4864 },
  { m: 1, n: 2048, k: 8192 },
  { m: 1, n: 4096, k: 14336 },
  { m: 1, n: 4096, k: 4000 },
];

const llama: Spec = other("decode", {
  case: "Llama-3.2-1B",
  dtype: "bfloat16",
  shape: { m: 1, n: 8192, k: 2048 },
  temperature: "cold",
});

const cpuTargets: readonly Target[] = [
  {
    what: "GEMV nf4, fp32 in, cold, 1 thread",
    cases: [gemv("float32", "cold")],
    goals: [atLeast(0.88, shareOfFloor)],
  },
  {
    what: "GEMV nf4, bf16/fp16 in, cold, 1 thread",
    cases: sixteenBits.map((dtype) => gemv(dtype, "cold")),
    goals: [atLeast(0.95, shareOfFloor), atMost(2e-4, { kind: "relative error before the output is rounded" })],
  },
  {
    what: "GEMV warm, bf16 in, 1 thread",
    cases: [gemv("bfloat16", "warm")],
    goals: [
      atMost(165, microseconds),
      atLeast(60, timesAsFastAs(bnb4)),
      atLeast(1, timesAsFastAs(nBits)),
      atLeast(40, { kind: "times less error than", peer: nBits }),
    ],
  },
  {
    what: "GEMV warm, bf16 in, 2 threads",
    cases: [gemv("bfloat16", "warm", { threads: 2 })],
    goals: [atMost(95, microseconds), atLeast(60, timesAsFastAs(bnb4)), atLeast(1, timesAsFastAs(nBits))],
  },
  {
    what: "GEMM M=16, 128, 512, fp32 exact",
    cases: gemms("float32"),
    goals: [atLeast(0.88, shareOfFloor), atLeast(1, timesAsFastAs(dense))],
  },
  {
    what: "GEMM M=16, 128, 512, bf16/fp16 in",
    cases: sixteenBits.flatMap(gemms),
    goals: [atLeast(1.4, { kind: "multiple of the f32 peak" })],
  },
  {
    what: "LLM.int8 M=128",
    cases: [
      other("int8", { case: "linear8bit", format: "int8-rowwise", dtype: "bfloat16", shape: { ...square, m: 128 } }),
    ],
    goals: [atLeast(0.88, shareOfFloor)],
  },
  {
    what: "nf4 quantize fp32",
    cases: [other("quantize")],
    goals: [atLeast(6, { kind: "giga-elements per second" })],
  },
  { what: "nf4 dequantize fp32", cases: [other("dequantize")], goals: [atLeast(0.9, shareOfFloor)] },
  {
    what: "8-bit dynamic quantize, exact",
    cases: [other("quantize", { format: "int8-blockwise" })],
    goals: [atLeast(3, { kind: "giga-elements per second" })],
  },
  {
    what: "Adam 8-bit, 1 thread",
    cases: [other("optimizer", { case: "adam 8 bit", format: null })],
    goals: [atLeast(1.3, { kind: "giga-elements per second" })],
  },
  {
    what: "call overhead from JS above the C call, inline operation",
    cases: [other("startup", { case: "call", format: null, shape: none })],
    goals: [atMost(5, { kind: "microseconds above the floor" })],
  },
  {
    what: "halfbyte doctor, without a GPU",
    cases: [other("startup", { case: "doctor", format: null, shape: none })],
    goals: [atMost(1_000_000, microseconds)],
  },
  {
    what: "event loop, longest pause while kernels run",
    cases: [other("startup", { case: "event loop", format: null, shape: none, threads: 2 })],
    goals: [atMost(5000, microseconds)],
  },
  {
    what: "examining the machine for CUDA, quick",
    cases: [other("startup", { case: "detect CUDA, quick", format: null, shape: none })],
    goals: [atMost(30_000, microseconds)],
  },
  {
    what: "examining the machine for CUDA, full, without a GPU",
    cases: [other("startup", { case: "detect CUDA, full", format: null, shape: none })],
    goals: [atMost(1_000_000, microseconds)],
  },
  {
    what: "WASM, 1 thread: GEMV",
    cases: [gemv("bfloat16", "warm", { backend: "wasm" })],
    goals: [atMost(1400, microseconds)],
  },
  {
    what: "WASM, 1 thread: GEMM M=128",
    cases: [spec({ backend: "wasm", dtype: "bfloat16", shape: { ...square, m: 128 } })],
    goals: [atMost(55_000, microseconds)],
  },
  {
    what: "WASM, 1 thread: dequantize",
    cases: [other("dequantize", { backend: "wasm" })],
    goals: [atMost(2600, microseconds)],
  },
  {
    what: "halfbyte quantize of a 2 GB bf16 checkpoint against cp and sync",
    cases: [other("checkpoint", { case: "2 GB", dtype: "bfloat16", shape: none, threads: 2 })],
    goals: [atMost(2, { kind: "times the floor's time" })],
  },
  {
    what: "2 threads against 1, GEMM M=128",
    cases: (["float32", "bfloat16"] as const).map((dtype) => spec({ dtype, shape: { ...square, m: 128 }, threads: 2 })),
    goals: [atLeast(1.8, { kind: "speed-up by threads" })],
  },
  {
    what: "decode, Llama-3.2-1B shapes, nf4, bf16 in, 1 and 2 threads",
    cases: [1, 2].map((threads) => ({ ...llama, threads })),
    goals: [atLeast(0.85, shareOfFloor), atLeast(10, timesAsFastAs(bnb4))],
  },
  {
    what: "other shapes, GEMV cold, 1 thread",
    cases: (["float32", "bfloat16"] as const).flatMap((dtype) =>
      otherShapes.map((shape) => gemv(dtype, "cold", { shape })),
    ),
    goals: [atLeast(0.85, { kind: "share of the floor that 4096² reaches" })],
  },
  {
    what: "AVX2 (capped) GEMV warm",
    cases: [gemv("bfloat16", "warm", { backend: "avx2" })],
    goals: [atMost(550, microseconds)],
  },
];

const onWebgpu = (m: number) => spec({ backend: "webgpu", shape: { ...square, m } });

/** In Node and in a page, against the same operator on the same device. */
const webgpuTargets: readonly Target[] = [
  {
    what: "WebGPU: GEMV nf4, fp32 in",
    cases: [onWebgpu(1)],
    goals: [atLeast(1, timesAsFastAs(webBnb4))],
  },
  {
    what: "WebGPU: GEMM M=128 nf4, fp32 in",
    cases: [onWebgpu(128)],
    goals: [atLeast(1.5, timesAsFastAs(webBnb4))],
  },
];

/** Opening included, upload not. */
export const firstProduct: Spec = other("startup", {
  case: "first gemm4bit in a page",
  backend: "webgpu",
  temperature: "cold",
});

const pageTargets: readonly Target[] = [
  {
    what: "WebGPU: first GEMV after page load, without the upload",
    cases: [firstProduct],
    goals: [atMost(300_000, microseconds)],
  },
];

export const targets: readonly Target[] = [...cpuTargets, ...webgpuTargets, ...pageTargets];

/** Those that Node can measure on a backend: the GPU's apart from all others. */
export const targetsOf = (backend: string): readonly Target[] => (backend === "webgpu" ? webgpuTargets : cpuTargets);
