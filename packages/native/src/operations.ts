/** Every operation as one call of the C ABI: which function, when not, and how its arguments are handed over. */
import {
  type Accuracy,
  type Float,
  getFormat,
  type OpName,
  type Ops,
  type QuantizedTensor,
  type Shape,
  type Tensor,
} from "@halfbyte/core";
import { accuracyNumbers, dtypeNumbers, formatNumbers } from "./abi.js";
import type { Pointer } from "./functions.js";
import type { NativeDevice } from "./native-device.js";
import { pointerOf, pointerOrNull } from "./native-storage.js";
import { biasDtype, dtypeOf, type NativeOperation, profileOf, refuseCpuProfile } from "./operation.js";
import { optimizerUpdate8bitBlockwise, optimizerUpdate32bit } from "./optimizer-operations.js";
import {
  codePointer,
  nestedScales,
  packedInt8,
  packedWeight,
  refuseNested,
  refuseWeight,
  withBlockScales,
} from "./weight-operands.js";

const lastOf = (shape: Shape): number => shape[shape.length - 1] ?? 1;
const rowsOf = (shape: Shape): number => shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1);

const quantize4bit: NativeOperation<"quantize4bit"> = {
  name: "quantize_4bit",
  refuse: (args) => refuseCpuProfile(args) ?? refuseForeignRule(args),
  launch: (device, { x, format, blockSize, profile, nonFinite }, { codes, absmax }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_quantize_4bit",
        pointerOf(x),
        dtypeOf(x),
        x.size,
        getFormat(format).code,
        formatNumber(format),
        blockSize,
        profileOf(profile),
        pointerOf(codes),
        pointerOf(absmax),
        fault,
      ),
    ),
};

const formatNumber = (name: string): number =>
  name === "nf4" || name === "fp4" ? formatNumbers[name] : formatNumbers.table;

/** The library knows the rules of fp4; others under profile cuda follow from the table. */
function refuseForeignRule({ format, profile }: Ops["quantize4bit"]["in"]): string | undefined {
  if (profile !== "cuda" || format === "fp4" || !getFormat(format).cuda) return undefined;
  return `the library does not know the rule of "${format}" under profile "cuda".`;
}

const dequantize4bit: NativeOperation<"dequantize4bit"> = {
  name: "dequantize_4bit",
  traits: ({ weight }, device) => nestedTrait(device, weight),
  refuse: ({ weight }, device) => refuseWeight(weight, device),
  launch(device, { weight, dtype }, { out }) {
    const codes = pointerOf(weight.codes);
    const rest = [
      codePointer(device, weight),
      out.size,
      weight.blockSize,
      pointerOf(out),
      dtypeNumbers[dtype],
    ] as const;
    const nested = nestedScales(device, weight);
    if (nested) device.queue.enqueue("hb_dequantize_4bit_nested", codes, ...nested, ...rest);
    else device.queue.enqueue("hb_dequantize_4bit", codes, pointerOf(weight.scales.absmax), ...rest);
    return undefined;
  },
};

const quantizeBlockwise: NativeOperation<"quantizeBlockwise"> = {
  name: "quantize_blockwise",
  refuse: refuseCpuProfile,
  launch: (device, { x, code, blockSize, profile, nonFinite }, { codes, absmax }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_quantize_blockwise",
        pointerOf(x),
        dtypeOf(x),
        x.size,
        pointerOf(code),
        blockSize,
        profileOf(profile),
        pointerOf(codes),
        pointerOf(absmax),
        fault,
      ),
    ),
};

const dequantizeBlockwise: NativeOperation<"dequantizeBlockwise"> = {
  name: "dequantize_blockwise",
  launch(device, { codes, absmax, code, blockSize, offset = 0, dtype }, { out }) {
    device.queue.enqueue(
      "hb_dequantize_blockwise",
      pointerOf(codes),
      pointerOf(absmax),
      pointerOf(code),
      out.size,
      blockSize,
      offset,
      pointerOf(out),
      dtypeNumbers[dtype],
    );
    return undefined;
  },
};

const quantizationError: NativeOperation<"quantizationError"> = {
  name: "quantization_error",
  refuse: ({ weight }) => refuseNested(weight),
  launch(device, { x, weight }, { sums }) {
    const { codes, code, format, scales, shape, blockSize } = weight;
    const isRows = scales.kind === "row";
    device.queue.enqueue(
      "hb_quantization_error",
      pointerOf(x),
      dtypeOf(x),
      x.size,
      pointerOf(codes),
      pointerOf(scales.absmax),
      isRows ? null : codePointer(device, weight),
      isRows ? 0 : (code?.size ?? getFormat(format).code.length),
      isRows ? lastOf(shape) : blockSize,
      pointerOf(sums),
    );
    return undefined;
  },
};

/** exact for f32; 16-bit inputs are rounded more coarsely than 16-bit integers are. */
const accuracyOf = ({ x, accuracy }: Ops["gemm4bit"]["in"]): Accuracy =>
  accuracy ?? (x.dtype === "float32" ? "exact" : "fast");

/** Variants that decode the scales themselves. */
const nestedTrait = (device: NativeDevice, weight: QuantizedTensor): readonly string[] =>
  device.decodesNested(weight) ? ["nested"] : [];

const gemm4bit: NativeOperation<"gemm4bit"> = {
  name: "gemm_4bit",
  traits: (args, device) =>
    device.packs4bit(args.weight) ? ["packed", accuracyOf(args)] : nestedTrait(device, args.weight),
  refuse({ weight, transpose }, device) {
    if (transpose) return "a transposed 4-bit product is composed of dequantize4bit and gemm.";
    return device.packs4bit(weight) ? undefined : refuseWeight(weight, device);
  },
  launch(device, args, { out }) {
    const { x, weight, bias } = args;
    const [n, k] = weight.shape as readonly [number, number];
    const packed = packedWeight(device, weight);
    const first = [pointerOf(x), dtypeOf(x), pointerOf(weight.codes)] as const;
    const rest = [
      codePointer(device, weight),
      weight.blockSize,
      accuracyNumbers[accuracyOf(args)],
      pointerOrNull(bias),
      biasDtype(bias),
      rowsOf(x.shape),
      n,
      k,
      pointerOf(out),
    ] as const;
    const multiply = (absmax: Pointer | null) =>
      device.queue.enqueue("hb_gemm_4bit", ...first, absmax, packed, ...rest);
    const nested = packed === null ? nestedScales(device, weight) : undefined;
    if (nested) device.queue.enqueue("hb_gemm_4bit_nested", ...first, ...nested, ...rest);
    else if (packed === null) withBlockScales(device, weight, multiply);
    else multiply(null);
    return undefined;
  },
};

const gemm: NativeOperation<"gemm"> = {
  name: "gemm",
  variant: ({ transpose }) => (transpose ? "gemm_transposed" : "gemm"),
  launch(device, { x, weight, bias, transpose }, { out }) {
    const [n, k] = weight.shape as readonly [number, number];
    device.queue.enqueue(
      "hb_gemm",
      pointerOf(x),
      dtypeOf(x),
      pointerOf(weight),
      dtypeOf(weight),
      pointerOrNull(bias),
      biasDtype(bias),
      rowsOf(x.shape),
      n,
      k,
      transpose ? 1 : 0,
      pointerOf(out),
    );
    return undefined;
  },
};

const int8VectorwiseQuant: NativeOperation<"int8VectorwiseQuant"> = {
  name: "int8_vectorwise_quant",
  launch: (device, { x, threshold, nonFinite }, { q, rowStats, outlierColumns }) =>
    device.watched(nonFinite, (fault) =>
      device.queue.enqueue(
        "hb_int8_vectorwise_quant",
        pointerOf(x),
        dtypeOf(x),
        rowsOf(x.shape),
        lastOf(x.shape),
        threshold,
        pointerOf(q),
        pointerOf(rowStats),
        pointerOf(outlierColumns),
        fault,
      ),
    ),
};

const int8VectorwiseDequant: NativeOperation<"int8VectorwiseDequant"> = {
  name: "int8_vectorwise_dequant",
  launch(device, { q, rowStats }, { out }) {
    const [rows, k] = [rowsOf(q.shape), lastOf(q.shape)];
    device.queue.enqueue("hb_int8_vectorwise_dequant", pointerOf(q), pointerOf(rowStats), rows, k, pointerOf(out));
    return undefined;
  },
};

const int8LinearMatmul: NativeOperation<"int8LinearMatmul"> = {
  name: "int8_linear_matmul",
  launch(device, { a, b }, { out }) {
    const [n, k] = b.shape as readonly [number, number];
    const packed = packedInt8(device, b);
    const m = rowsOf(a.shape);
    device.queue.enqueue("hb_int8_linear_matmul", pointerOf(a), pointerOf(b), packed, m, n, k, pointerOf(out));
    return undefined;
  },
};

const int8MmDequant: NativeOperation<"int8MmDequant"> = {
  name: "int8_mm_dequant",
  refuse: refuseCpuProfile,
  launch(device, { a, rowStats, colStats, bias, dtype, profile }, { out }) {
    device.queue.enqueue(
      "hb_int8_mm_dequant",
      pointerOf(a),
      pointerOf(rowStats),
      pointerOf(colStats),
      pointerOrNull(bias),
      biasDtype(bias),
      rowsOf(a.shape),
      lastOf(a.shape),
      profileOf(profile),
      pointerOf(out),
      dtypeNumbers[dtype],
    );
    return undefined;
  },
};

type MixedArgs = Ops["int8MixedScaledMm"]["in"];
/** int8ScaledMm is the mixed product without outliers. */
type ScaledArgs = Omit<MixedArgs, "x" | "outlierColumns"> & Partial<Pick<MixedArgs, "x" | "outlierColumns">>;

function launchScaled(device: NativeDevice, args: ScaledArgs, out: Tensor<Float>): undefined {
  const { x, a, b, rowStats, colStats, outlierColumns, bias, profile } = args;
  const [n, k] = b.shape as readonly [number, number];
  device.queue.enqueue(
    "hb_int8_mixed_scaled_mm",
    pointerOrNull(x),
    pointerOf(a),
    pointerOf(b),
    packedInt8(device, b),
    pointerOf(rowStats),
    pointerOf(colStats),
    pointerOrNull(outlierColumns),
    pointerOrNull(bias),
    biasDtype(bias),
    rowsOf(a.shape),
    n,
    k,
    profileOf(profile),
    pointerOf(out),
    dtypeOf(out),
  );
}

const int8ScaledMm: NativeOperation<"int8ScaledMm"> = {
  name: "int8_mixed_scaled_mm",
  refuse: refuseCpuProfile,
  launch: (device, args, { out }) => launchScaled(device, args, out),
};

const int8MixedScaledMm: NativeOperation<"int8MixedScaledMm"> = {
  name: "int8_mixed_scaled_mm",
  refuse: refuseCpuProfile,
  launch: (device, args, { out }) => launchScaled(device, args, out),
};

export const nativeOperations: { readonly [K in OpName]: NativeOperation<K> } = {
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
